// One quiet line at the page's edge: what Python does, what else there is to say, and what can be done about it.

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
    this.said = make("span", { role: "status" });
    this.there = make("a", { textContent: "Go there" });
    this.close = button("Close", () => this.dismiss());
    const parts = [this.said, this.there, this.text, this.amount, this.bar, this.stop, this.retry, this.close];
    this.line = make("section", { className: "livebook-status", ariaLabel: "Python" }, ...parts);
    this.#draw("off", {});
    document.body.append(this.line);
  }

  /** Show a state of Python; what was said stays beside it. */
  show({ state, ...detail }) {
    clearTimeout(this.#timer);
    const draw = () => this.#draw(state, detail);
    if (state === "busy") this.#timer = setTimeout(draw, SLOW);
    else draw();
    if (state === "ready") this.#timer = setTimeout(() => this.#draw("off", {}), QUIET);
  }

  #draw(state, detail) {
    const { done = 0, total = 0 } = detail;
    const words = SAYS[state](detail);
    this.line.dataset.state = state;
    if (this.text.textContent !== words) this.text.textContent = words; // what is said again is read out again
    this.amount.textContent = total ? `${mib(done)} of ${mib(total)} MiB` : "";
    this.bar.hidden = state !== "loading" || !total;
    if (total) Object.assign(this.bar, { max: total, value: done });
    this.stop.hidden = state !== "busy";
    this.retry.hidden = state !== "failed";
    this.#settle();
  }

  /** What was said and a failure wait for the reader; the rest goes by itself. */
  #settle() {
    this.line.hidden = !this.text.textContent && !this.said.textContent;
    this.there.hidden = !this.there.hash;
    this.close.hidden = this.retry.hidden && !this.said.textContent;
  }

  /** Say something that is no state; it stays until the reader closes it or runs something. `about`: the element it is about. */
  say(words, about) {
    this.said.textContent = words;
    this.there.href = about?.id ? `#${about.id}` : "#";
    this.#settle();
  }

  /** Forget what was said, and a failure that was read. */
  dismiss() {
    if (!this.retry.hidden) this.#draw("off", {});
    this.say("");
  }
}
