// One quiet line at the page's edge: what Python does, and what can be done about it.

import { button, make } from "./dom.js";

const mib = (bytes) => (bytes / (1 << 20)).toFixed(1);

const SAYS = {
  off: () => "",
  loading: () => "Python is loading",
  ready: () => "Python is ready",
  busy: () => "Running",
  failed: ({ why }) => `Python has stopped: ${why}${/[.?!]$/.test(why) ? "" : "."}`,
};
const QUIET = 2500; // ms that "ready" is shown
const SLOW = 400; // ms until a run is worth a line

export class Status {
  #timer = 0;

  /** `stop`, `restart`: what its buttons do. */
  constructor({ stop, restart }) {
    this.text = make("span", { role: "status" });
    this.amount = make("span", { className: "livebook-amount" }); // seen, not read out
    this.bar = make("progress", { ariaLabel: "Loading" });
    this.stop = button("Stop", stop);
    this.retry = button("Try again", restart);
    this.close = button("Close", () => (this.line.hidden = true));
    this.there = make("a", { textContent: "Go there", hidden: true });
    const parts = [this.text, this.there, this.amount, this.bar, this.stop, this.retry, this.close];
    this.line = make("section", { className: "livebook-status", ariaLabel: "Python", hidden: true }, ...parts);
    document.body.append(this.line);
  }

  /** Show a state of Python. */
  show({ state, ...detail }) {
    clearTimeout(this.#timer);
    const draw = () => this.#draw(state, SAYS[state](detail), detail);
    if (state === "busy") this.#timer = setTimeout(draw, SLOW);
    else draw();
    const hide = () => (this.line.hidden ||= this.line.dataset.state === "ready"); // not what has been said since
    if (state === "ready") this.#timer = setTimeout(hide, QUIET);
  }

  #draw(state, words, { done = 0, total = 0 }) {
    this.line.dataset.state = state;
    this.there.hidden = true;
    this.line.hidden = !words;
    if (this.text.textContent !== words) this.text.textContent = words; // what is said again is read out again
    this.amount.textContent = total ? `${mib(done)} of ${mib(total)} MiB` : "";
    this.bar.hidden = state !== "loading" || !total;
    if (total) Object.assign(this.bar, { max: total, value: done });
    this.stop.hidden = state !== "busy";
    this.retry.hidden = state !== "failed";
    this.close.hidden = state !== "failed" && state !== "said"; // the others go by themselves
  }

  /** Say something that is no state; it stays until the next one, or the reader has read it. `about`: the element it is about. */
  say(words, about) {
    this.#draw("said", words, {});
    if (!about?.id) return;
    Object.assign(this.there, { href: `#${about.id}`, hidden: false });
  }
}
