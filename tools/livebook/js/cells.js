// The cells of a page: their code in an editor, their outputs where the book's were, run in order by one Python.

import { button, make } from "./dom.js";
import { Outputs } from "./outputs.js";
import { keep, recall } from "./stored.js";

const FOCUS = "button, input, select, summary, a[href], [tabindex]";

export class Cell {
  outputs = null;
  models = []; // the widgets that it shows

  /** `element`: the page's; `book`: the cells' common world (see Book). */
  constructor(element, number, book) {
    this.element = element;
    this.book = book;
    this.id = `cell ${number}`;
    this.input = element.querySelector(".cell_input");
    this.pre = this.input.querySelector(".highlight");
    this.original = this.pre.querySelector("pre").textContent.replace(/\n$/, "");
    this.shown = this.original; // what the outputs are of
    element.id ||= `cell-${number}`;
    this.#recall();
    this.needs = book.missing.find((name) => new RegExp(`^\\s*(import|from) +${name}\\b`, "m").test(this.original));
    this.mayFail = element.classList.contains("tag_raises-exception");
    this.alone = element.classList.contains("tag_standalone");
    this.input.append(this.needs ? this.#note() : this.#tools());
    if (this.code !== this.original) this.edit();
    this.#mark();
  }

  /** What the reader wrote here. Where the book has changed since, both are offered, and neither replaces the other. */
  #recall() {
    const kept = recall(this.element.id) ?? recall(this.id);
    const mine = kept?.code !== undefined && kept.original === this.original;
    this.code = mine ? kept.code : this.original;
    this.earlier = [...(kept?.earlier ?? []), ...(mine || kept?.code === undefined ? [] : [kept.code])];
    if (this.earlier.length) queueMicrotask(() => this.#offerEarlier());
  }

  #offerEarlier() {
    const last = this.earlier.at(-1);
    const take = () => {
      this.#changed(last);
      if (this.editor) this.editor.code = last;
      this.edit(true);
    };
    const forget = () => {
      this.earlier.pop();
      this.#keep();
      box.remove();
      if (this.earlier.length) this.#offerEarlier();
    };
    const words = "The book has changed this cell since you wrote into it. Yours:";
    const code = make("pre", { textContent: last, tabIndex: 0, translate: false });
    const box = make("section", { className: "livebook-earlier", ariaLabel: `Your earlier code of ${this.id}` });
    box.append(make("p", { textContent: words }), code, button("Use mine", take), button("Forget mine", forget));
    this.input.after(box);
  }

  #keep() {
    const { original, code, earlier } = this;
    const nothing = code === original && !earlier.length;
    return keep(this.element.id, nothing ? null : { original, ...(code === original ? {} : { code }), earlier });
  }

  /** Has this Python run it? The page shows it as `data-ran`. */
  get ran() {
    return this.element.hasAttribute("data-ran");
  }

  set ran(done) {
    this.element.toggleAttribute("data-ran", done);
  }

  #note() {
    const words = `It needs ${this.needs}, which a page has not: it ran when the book was built.`;
    return make("p", { className: "livebook-note", textContent: words });
  }

  #tools() {
    const runs = button("Run", () => this.book.run(this), { title: "Shift+Enter" });
    this.edits = button("Edit", () => this.edit(true));
    const above = button("Run all above", () => this.book.runAbove(this));
    this.resets = button("Reset", () => this.reset());
    const restart = button("Restart", () => this.book.restart());
    this.pre.addEventListener("click", () => getSelection().isCollapsed && this.edit(true));
    const about = { className: "livebook-tools", role: "toolbar", ariaLabel: `Code of ${this.id}` };
    const name = make("span", { className: "livebook-name", textContent: this.id });
    return make("div", about, name, runs, this.edits, above, this.resets, restart);
  }

  /** Show the editor instead of the page's listing. */
  async edit(focus = false) {
    this.opening ??= this.#open();
    if ((await this.opening) && focus) this.editor.focus();
  }

  async #open() {
    try {
      const { edit } = await this.book.parts.editor();
      const place = make("div", { className: "livebook-editor" });
      const options = { code: this.code, label: `Code of ${this.id}`, onRun: () => this.book.run(this) };
      this.editor = edit(place, { ...options, onChange: (code) => this.#changed(code) });
      this.pre.closest(".cell_input > div").replaceWith(place);
      this.edits.hidden = true;
      return true;
    } catch (error) {
      this.opening = null;
      this.book.say(`The editor can't be loaded: ${error.message}`);
      return false;
    }
  }

  #changed(code) {
    this.code = code;
    if (!this.#keep()) this.book.say("This browser keeps nothing for this page: what you change is lost when you leave it.");
    this.#mark();
  }

  #mark() {
    this.element.toggleAttribute("data-stale", this.code !== this.shown); // its outputs are older than it
    if (this.resets) this.resets.hidden = this.code === this.original;
  }

  /** The book's code again. */
  reset() {
    this.#changed(this.original);
    if (!this.editor) return;
    this.editor.code = this.original;
    this.editor.focus();
  }

  /**
   * Run it: true if the cells below can go on. `quiet`: not at the reader's wish, so the book's code, and what the page
   * shows changes when all is there.
   */
  async run(quiet = false) {
    if (this.needs) return true;
    const place = this.#place();
    this.outputs = new Outputs(place, this.book.parts);
    this.eager = !quiet;
    this.element.setAttribute("aria-busy", "true");
    try {
      if (this.models.length) (await this.book.parts.widgets()).hold(this.models);
      const code = quiet || !this.editor ? this.original : this.code;
      const done = await this.book.python.run(this.id, code);
      await this.outputs.settled();
      await this.#takeOver();
      this.show();
      this.shown = code;
      this.#mark();
      if (!quiet) this.#bringIntoView(place);
      this.ran = done || this.mayFail;
      return this.ran;
    } catch (error) {
      if (place.childElementCount) this.show();
      else place.remove();
      throw error;
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }

  /** Where the outputs go: unseen until `show`, which puts them in the place of the old ones. */
  #place() {
    const old = this.element.querySelector(".cell_output");
    const place = make("div", { className: "cell_output docutils container", hidden: true });
    (old ?? this.input).after(place);
    this.show = () => {
      const focus = [...(old?.querySelectorAll(FOCUS) ?? [])].indexOf(document.activeElement);
      old?.remove();
      place.hidden = false;
      this.book.wireForms(place);
      if (focus >= 0) place.querySelectorAll(FOCUS)[focus]?.focus();
    };
    return place;
  }

  /** The reader has asked for it, so it is to be seen: no fold stays shut over it. */
  #bringIntoView(place) {
    for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    place.scrollIntoView({ block: "nearest" });
  }

  /** Widgets go on where those went that they replace. */
  async #takeOver() {
    const { models } = this.outputs;
    await this.book.drawn;
    if (models.length) await this.book.released; // what is being dragged is not taken away
    const manager = models.length && (await this.book.parts.widgets());
    for (const [index, model] of models.entries()) if (this.models[index]) await manager.replay(this.models[index], model);
    this.models = models;
  }

  /** An output of this cell. */
  async hear(type, content) {
    await this.outputs.add(type, content);
    if (!this.eager) return;
    await this.book.drawn;
    this.show();
  }
}
