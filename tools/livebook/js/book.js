// What the cells of a page have in common: one Python, the order in which they run, and what is loaded when needed.

import { make } from "./dom.js";
import { Form } from "./forms.js";
import { Outputs } from "./outputs.js";
import { Stopped } from "./python.js";
import { Status } from "./status.js";

/* global PARTS -- set by bundle.mjs: part -> its file */

/** Load a part of ours that few pages need; once, unless it fails. */
const loader = (base) => {
  const loading = {};
  return (name) =>
    (loading[name] ??= new Promise((settle, fail) => {
      const script = make("script", { src: base + PARTS[name] });
      script.onload = script.onerror = () => {
        if (window.livebook?.[name]) return settle(window.livebook[name]);
        delete loading[name];
        script.remove();
        fail(new Error(`${PARTS[name]} can't be loaded: is the network there?`));
      };
      document.head.append(script);
    }));
};

export class Book {
  cells = [];
  forms = [];
  /** Settles when the widgets that are stored in the page are drawn: before, nothing takes their place. */
  drawn = Promise.resolve();
  #turn = Promise.resolve();
  #life = 0; // of Python: each ends with a stop or a failure
  /** Settles when nothing on the page is being dragged. */
  released = Promise.resolve();

  /** `python`: what runs the cells; `missing`: modules that no page has; `obstacle`: why Python can't run here, if so. */
  constructor(python, missing, obstacle = "") {
    this.obstacle = obstacle;
    this.missing = missing.split(" ").filter(Boolean);
    this.python = python;
    this.python.addEventListener("state", ({ detail }) => this.#state(detail));
    this.python.addEventListener("message", ({ detail }) => this.#hear(detail));
    this.parts = this.#parts(loader(python.base));
    this.status = new Status({ stop: () => this.stop(), restart: () => this.restart() });
    this.#watchPointers();
    this.#state(python); // it may have been started before
  }

  #parts(load) {
    let manager;
    const manage = ({ Manager }) => {
      const draw = (type, content, place) => new Outputs(place, this.parts).add(type, content);
      return (manager ??= new Manager(this.python, draw));
    };
    return { editor: () => load("editor"), markdown: () => load("markdown"), widgets: () => load("widgets").then(manage) };
  }

  #watchPointers() {
    let release = () => {};
    const press = () => {
      release();
      this.released = new Promise((settle) => (release = settle));
    };
    addEventListener("pointerdown", press, true);
    // The click that a press ends with comes right after it, and goes where it was meant to.
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(release), true);
  }

  // -- what the reader asks ------------------------------------------------------------------------------

  /** Run a cell, after those above it that Python has not seen. What was said before is old then. */
  run(cell) {
    this.say("");
    return this.#inTurn(async () => (await this.#prepare(cell, false)) && cell.run());
  }

  /** Let Python answer a form, as it is then: its cell may have made it anew meanwhile. It needs none of the cells. */
  answer({ id }) {
    this.say("");
    return this.#inTurn(() => this.forms.find((form) => form.id === id)?.run());
  }

  /** Wire the forms below an element; one that takes another's place has its answer, too. */
  wireForms(element) {
    const made = [...element.querySelectorAll("form.livebook-form")].map((form) => new Form(form, this));
    for (const form of made) form.takeOver(this.forms.find(({ id }) => id === form.id));
    this.forms = [...this.forms.filter(({ id }) => made.every((form) => form.id !== id)), ...made];
  }

  /** Run all cells above one, again. */
  runAbove(cell) {
    this.say("");
    return this.#inTurn(async () => {
      for (const one of this.#above(cell)) one.ran = false;
      await this.#prepare(cell, false);
    });
  }

  /** Make a cell's widgets live; what the reader has changed in any cell is not run. */
  wake(cell) {
    if (cell.ran || cell.waking || this.python.state === "failed") return;
    cell.waking = true;
    this.python.start().catch(() => {}); // its state says so; it loads while the page goes on
    this.#inTurn(async () => !cell.ran && (cell.alone || (await this.#prepare(cell, true))) && cell.run(true)).finally(() => {
      cell.waking = false;
    });
  }

  /** End whatever runs. */
  stop() {
    this.python.stop();
    this.say("Stopped. The next cell that runs starts Python anew.");
  }

  /** Forget all that Python knows, and start again. */
  restart() {
    this.python.stop();
    this.#inTurn(() => this.python.start());
  }

  say(words) {
    this.status.say(words);
  }

  // -- order -----------------------------------------------------------------------------------------------

  #above(cell) {
    return this.cells.slice(0, this.cells.indexOf(cell));
  }

  async #prepare(cell, quiet) {
    for (const one of this.#above(cell)) {
      if (one.ran || (await one.run(quiet))) continue;
      this.status.say(`${one.id} failed, and ${cell.id} is below it.`, one.element);
      return false;
    }
    return true;
  }

  /** Do it when what was asked before is done; never, if Python ends first. */
  #inTurn(job) {
    const life = this.#life;
    this.#turn = this.#turn.then(() => life === this.#life && job()).catch((error) => {
      if (!(error instanceof Stopped)) this.say(`Something went wrong: ${error.message}.`);
    });
    return this.#turn;
  }

  // -- what Python says --------------------------------------------------------------------------------------

  #state(detail) {
    this.status.show(detail);
    if (detail.state !== "off" && detail.state !== "failed") return;
    this.#life += 1;
    for (const cell of this.cells) cell.ran = false;
    if (this.cells.some(({ models }) => models.length)) this.parts.widgets().then((manager) => manager.keepAll());
  }

  async #hear({ message, buffers }) {
    const { type, cell: id, ...content } = message;
    const cell = [...this.cells, ...this.forms].find((one) => one.id === id);
    if (type.startsWith("comm")) (await this.parts.widgets()).hear(message, buffers);
    else if (cell) cell.hear(type, content);
    else this.say(`A widget says: ${content.text ?? content.traceback ?? content.data?.["text/plain"]}`);
  }
}
