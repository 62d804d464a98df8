// Forms that Python answers: `<form class="livebook-form" data-call="module:function" data-key="name">` in an output.
//
// What is filled in goes to the function as keyword arguments, a list where a name stands more than once; what the function
// displays comes below the form. What the reader said is kept under the key, the first answer for good.

import { make } from "./dom.js";
import { Outputs } from "./outputs.js";
import { keep, recall } from "./stored.js";

const ROOT = new URL("../../", document.currentScript.src).pathname;

/** Name -> what was filled in; a list for names that the form has several of (other than as choices). */
const filled = (form) => {
  const said = {};
  for (const part of form.elements) {
    if (!part.name || ((part.type === "radio" || part.type === "checkbox") && !part.checked)) continue;
    if (form.elements[part.name] instanceof RadioNodeList && part.type !== "radio") (said[part.name] ??= []).push(part.value);
    else said[part.name] = part.value;
  }
  return said;
};

const fill = (form, said) => {
  const turn = {};
  for (const part of form.elements) {
    if (!(part.name in said) || part.type === "hidden") continue;
    const value = said[part.name];
    if (part.type === "radio" || part.type === "checkbox") part.checked = part.value === value;
    else part.value = Array.isArray(value) ? value[(turn[part.name] = (turn[part.name] ?? -1) + 1)] : value;
  }
};

export class Form {
  /** `element`: the form; `book`: the cells' common world (see Book), whose `obstacle` says why nothing can be answered. */
  constructor(element, book) {
    this.element = element;
    this.book = book;
    this.id = `form ${element.dataset.key}`;
    this.place = element.querySelector(".livebook-answer") ?? element.appendChild(make("div", { className: "livebook-answer" }));
    this.place.setAttribute("role", "status");
    for (const still of element.querySelectorAll(".livebook-otherwise")) still.hidden = !book.obstacle;
    for (const part of element.querySelectorAll("[type=submit][hidden]")) part.hidden = Boolean(book.obstacle);
    const kept = recall(this.id, ROOT);
    if (kept) fill(element, kept.last);
    if (kept?.first) this.former = this.#remind();
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      // A verdict may hold a widget, and a button of it without a type submits the form that it stands in.
      if (!this.place.contains(event.submitter)) this.#ask();
    });
    element.addEventListener("input", () => this.#changed());
    element.addEventListener("keydown", (event) => event.stopPropagation()); // the theme has shortcuts of single keys
  }

  /** Show what the form showed whose place it takes. */
  takeOver(before) {
    if (!before) return;
    this.place.replaceChildren(...before.place.childNodes);
    if (!before.former) this.#forget();
  }

  /** Let Python answer; or say why it can't. */
  #ask() {
    if (this.book.obstacle) this.place.replaceChildren(make("p", { textContent: this.book.obstacle }));
    else this.book.answer(this);
  }

  /** Say that an earlier visit has seen a verdict, which can be had again; above the status, since that is no news. */
  #remind() {
    this.element.querySelector(".livebook-former")?.remove(); // of a form that was here before
    const note = make("p", { className: "livebook-former", textContent: "You answered this on an earlier visit. " });
    const again = make("button", { type: "button", textContent: "See the verdict again" });
    again.addEventListener("click", () => this.#ask());
    note.append(again);
    this.place.before(note);
    return note;
  }

  #forget() {
    this.former?.remove();
    this.former = null;
  }

  #changed() {
    const said = filled(this.element);
    keep(this.id, { ...recall(this.id, ROOT), last: said }, ROOT);
    this.place.toggleAttribute("data-stale", this.place.childElementCount > 0);
  }

  /** Ask Python: a call of the form's function, as one expression, which leaves no names behind. */
  async run() {
    const said = filled(this.element);
    const kept = recall(this.id, ROOT);
    const saved = keep(this.id, { first: kept?.first ?? said, last: said }, ROOT);
    if (!saved) this.book.say("This browser keeps nothing for this page: your answer is lost when you leave it.");
    const [module, name] = this.element.dataset.call.split(":");
    const values = JSON.stringify(JSON.stringify(said));
    const code = `__import__("importlib").import_module("${module}").${name}(**__import__("json").loads(${values}))`;
    const fresh = this.element.appendChild(make("div", { hidden: true })); // attached: widgets are drawn into it
    this.outputs = new Outputs(fresh, this.book.parts);
    this.element.setAttribute("aria-busy", "true");
    try {
      await this.book.python.run(this.id, code);
      await this.outputs.settled();
      this.place.removeAttribute("data-stale");
      this.place.replaceChildren(...fresh.childNodes);
      this.#forget();
      this.place.scrollIntoView({ block: "nearest" });
    } finally {
      fresh.remove();
      this.element.removeAttribute("aria-busy");
    }
  }

  /** An output of the call. */
  hear(type, content) {
    return this.outputs.add(type, content);
  }
}
