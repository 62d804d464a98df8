// A cell's outputs, drawn as the book draws those that it stores.

import { make } from "./dom.js";

const VIEW = "application/vnd.jupyter.widget-view+json";

const element = (kind, ...inside) => make("div", { className: kind }, ...inside);
const text = (value) => (Array.isArray(value) ? value.join("") : String(value));

const picture = (address, alt) => make("img", { src: address, alt });

const html = (value, kind = "text_html") => Object.assign(element(`output ${kind}`), { innerHTML: text(value) });

const block = (kind, value) => {
  const pre = make("pre", { textContent: text(value), tabIndex: 0 }); // it may scroll
  return element(`output ${kind} highlight-myst-ansi notranslate`, element("highlight", pre));
};

const math = (value) => {
  const bare = text(value).trim().replace(/^(\$\$?|\\[([])|(\$\$?|\\[)\]])$/g, "");
  const made = Object.assign(element("output text_latex math notranslate nohighlight"), { textContent: `\\[${bare}\\]` });
  queueMicrotask(() => window.MathJax?.typesetPromise?.([made]));
  return made;
};

// Richest first; the order is that of the built page.
const DRAW = {
  "text/html": (value) => html(value),
  "image/svg+xml": (value, alt) => picture(`data:image/svg+xml,${encodeURIComponent(text(value))}`, alt),
  "image/png": (value, alt) => picture(`data:image/png;base64,${text(value)}`, alt),
  "image/jpeg": (value, alt) => picture(`data:image/jpeg;base64,${text(value)}`, alt),
  "text/markdown": async (value, _, parts) => html((await parts.markdown()).render(text(value)), "text_markdown"),
  "text/latex": math,
  "text/plain": (value) => block("text_plain", value),
};

/** The place of one cell's outputs. `parts`: functions that load what is needed seldom (markdown, widgets). */
export class Outputs {
  #shown = new Map();
  #clear = false;
  #turn = Promise.resolve();
  models = [];

  constructor(place, parts) {
    this.place = place;
    this.parts = parts;
  }

  /** Draw one output after those before it. */
  add(type, content) {
    const fail = ({ message }) => this.place.append(block("stderr", `This output can't be shown: ${message}`));
    this.#turn = this.#turn.then(() => this.#add(type, content)).catch(fail);
    return this.#turn;
  }

  /** All that was added is drawn. */
  settled() {
    return this.#turn;
  }

  async #add(type, content) {
    if (type === "clear_output") return void (content.wait ? (this.#clear = true) : this.place.replaceChildren());
    if (this.#clear) this.place.replaceChildren();
    this.#clear = false;
    if (type === "stream") return this.#print(content);
    if (type === "error") return this.place.append(block("traceback", content.traceback));
    const made = await this.#rich(content.data);
    const id = content.transient?.display_id;
    if (type === "update_display_data") this.#shown.get(id)?.replaceWith(made);
    else this.place.append(made);
    if (id) this.#shown.set(id, made);
    if (content.data[VIEW]) await this.#widget(content.data[VIEW].model_id, made);
  }

  /** What is printed goes on where the last print ended; empty lines at its end are not shown, as in the built page. */
  #print({ name, text: more }) {
    const last = this.place.lastElementChild;
    const made = last?.dataset.stream === name ? last : block(name === "stderr" ? name : "stream", "");
    made.dataset.stream = name;
    made.printed = (made.printed ?? "") + more;
    made.querySelector("pre").textContent = made.printed.replace(/\n+$/, "\n");
    if (made !== last) this.place.append(made);
  }

  async #rich(data) {
    if (data[VIEW]) return element("widget-subarea");
    const mime = Object.keys(DRAW).find((type) => type in data);
    if (!mime) return block("text_plain", `(an output of a kind that a page can't show: ${Object.keys(data)})`);
    return DRAW[mime](data[mime], text(data["text/plain"] ?? "output"), this.parts);
  }

  async #widget(id, place) {
    const manager = await this.parts.widgets();
    this.models.push(await manager.draw(id, place));
  }
}
