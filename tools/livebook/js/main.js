// A live page: draws its widgets at once, and starts Python when the reader comes near what needs it.

import { Book } from "./book.js";
import { Cell } from "./cells.js";
import { offerWork } from "./work.js";
import { make } from "./dom.js";
import { Python } from "./python.js";
import { needsPython } from "./state.js";
import { help } from "./stepping.js";
import { keep, recall } from "./stored.js";

const { dataset, src } = document.currentScript;
const BASE = new URL(".", src).href;
const NEAR = 400; // px below and above the screen
const CELL = ".cell:has(> .cell_input .highlight-ipython3, > details .highlight-ipython3)";
const STATE = "script[type='application/vnd.jupyter.widget-state+json']";
const VIEW = "script[type='application/vnd.jupyter.widget-view+json']";

/** Why Python can't run here, in a line for the reader; empty if it can. */
const obstacle = () => {
  if (location.protocol === "file:") {
    return "This page was opened as a file, where browsers run no Python: “python3 -m http.server” in its folder serves it.";
  }
  const able = window.Worker && window.WebAssembly?.compileStreaming && window.IntersectionObserver && window.structuredClone;
  return able ? "" : "This browser is too old to run Python: the page shows what it showed when the book was built.";
};

const notice = (words) => {
  const line = make("p", { className: "livebook-notice", textContent: words });
  const places = ["article", "main", "[role=main]", "body"].map((place) => document.querySelector(place));
  places.find(Boolean).prepend(line);
};

const parse = (script) => JSON.parse(script.textContent);

/** Draw the widgets that are stored in the page. */
const restore = async (book, states, views) => {
  const manager = await book.parts.widgets();
  for (const state of states) await manager.restore(state);
  for (const { script, id, at } of views) {
    const place = make("div", { className: "widget-subarea" });
    script.before(place);
    const model = await manager.draw(id, place);
    script.parentElement.querySelector(".livebook-still")?.remove();
    book.cells[at]?.models.push(model);
  }
};

/** Is it on the screen, or nearly? */
const near = (element) => {
  const { top, bottom } = element.getBoundingClientRect();
  return top < innerHeight + NEAR && bottom > -NEAR;
};

/** Wake a cell whose widgets need Python when the reader is near, or touches it. */
const watch = (book, cell) => {
  const wake = () => book.wake(cell);
  const seen = (entries) => entries.some((entry) => entry.isIntersecting) && wake();
  new IntersectionObserver(seen, { rootMargin: `${NEAR}px` }).observe(cell.element);
  for (const touch of ["pointerdown", "focusin", "keydown"]) {
    cell.element.addEventListener(touch, (event) => event.target.closest(".widget-subarea") && wake());
  }
};

const why = obstacle();
const python = new Python(BASE, dataset.folder);

/** Start Python; its state says what becomes of that. */
const hurry = () => void python.start().catch(() => {});

const start = () => {
  const elements = why ? [] : [...document.querySelectorAll(CELL)];
  const states = [...document.querySelectorAll(STATE)].map(parse);
  const models = Object.assign({}, ...states.map(({ state }) => state));
  const views = [...document.querySelectorAll(VIEW)].map((script) => {
    const id = parse(script).model_id;
    return { script, id, at: elements.findIndex((element) => element.contains(script)) };
  });
  const waiting = views.filter(({ id, at }) => at >= 0 && needsPython(models, id));
  const urgent = waiting.filter(({ at }) => near(elements[at])); // asked before anything moves on the page
  keep("sight", urgent.length ? "near" : "far"); // for the next visit
  if (urgent.length) hurry(); // it loads while the page is made ready
  const book = new Book(python, dataset.missing, why);
  help();
  if (why) notice(why);
  book.cells = elements.map((element, index) => new Cell(element, index + 1, book));
  book.wireForms(document);
  if (book.cells.length || book.forms.length) offerWork((words) => book.say(words));
  for (const { at } of waiting) watch(book, book.cells[at]);
  for (const { at } of urgent) book.wake(book.cells[at]);
  if (!views.length) return;
  book.drawn = python.reached // drawing keeps the page's thread busy
    .then(() => restore(book, states, views))
    .catch((error) => book.say(`The widgets can't be drawn: ${error.message}.`));
};

// What was in sight when the page was last opened will be again: Python need not wait for the page to come.
if (!why && recall("sight") === "near") hurry();
document.addEventListener("readystatechange", start, { once: true });
