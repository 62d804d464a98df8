// The page's side of Python: one worker for the page's whole life, started once and asked through messages.

/* global WORKER -- set by bundle.mjs: the worker's file */

const PATIENCE = 10_000; // ms: an idle worker that takes nothing for so long is gone

/** What becomes of a request when Python was stopped. */
export class Stopped extends Error {}

/**
 * Events: `state` (detail: {state, done, total, why}; states: off, loading, ready, busy, failed) and `message` (detail:
 * {message, buffers}, one of the kernel's messages).
 */
export class Python extends EventTarget {
  #worker = null;
  #starting = null;
  #requests = new Map();
  #queue = Promise.resolve();
  #last = 0;
  state = "off";

  constructor(base, folder) {
    super();
    this.base = base;
    this.folder = folder;
  }

  #enter(state, detail = {}) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...detail } }));
  }

  /** Start, unless that was done. Rejects if it fails; the next call tries again. */
  start() {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start() {
    this.#enter("loading", { done: 0, total: 0 });
    try {
      this.#worker = new Worker(this.base + WORKER, { type: "module" });
      this.#worker.onmessage = ({ data }) => this.#hear(data);
      this.#worker.onerror = (event) => {
        event.preventDefault();
        this.stop(event.message ?? `${WORKER} can't be loaded`);
      };
      await this.#ask({ type: "start", folder: this.folder });
      this.#enter("ready");
    } catch (error) {
      if (this.#worker) this.stop(error.message); // it could not even be asked
      throw error;
    }
  }

  /** Run a cell when those before it are done: was it run to its end? */
  run(cell, code) {
    const turn = this.#queue.then(() => this.start()).then(() => this.#run(cell, code));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #run(cell, code) {
    this.#enter("busy");
    try {
      return await this.#ask({ type: "run", cell, code });
    } finally {
      if (this.state === "busy") this.#enter("ready");
    }
  }

  /** A widget's message, for Python; settles when it was dealt with. */
  comm(message, buffers = []) {
    return this.#ask({ type: "comm", message: JSON.stringify(message), buffers });
  }

  /** End the worker, whatever it does. `why`: it had to be, which is a failure. */
  stop(why = "") {
    this.#worker?.terminate();
    this.#worker = this.#starting = null;
    this.#queue = Promise.resolve();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    this.#enter(why ? "failed" : "off", { why });
    for (const { fail, timer } of requests) {
      clearTimeout(timer);
      fail(new Stopped(why || "Python was stopped"));
    }
  }

  #ask(request) {
    if (!this.#worker) return Promise.reject(new Stopped("Python was stopped"));
    const id = ++this.#last;
    return new Promise((settle, fail) => {
      // Only one that has nothing else to do can be expected to take a request at once.
      const idle = this.#requests.size === 0 && request.type !== "start";
      const timer = idle ? setTimeout(() => this.stop("it does not answer any more"), PATIENCE) : 0;
      this.#requests.set(id, { settle, fail, timer });
      this.#worker.postMessage({ id, ...request });
    });
  }

  #hear(data) {
    const request = this.#requests.get(data.id);
    if (data.type === "python") {
      const detail = { message: JSON.parse(data.message), buffers: data.buffers };
      this.dispatchEvent(new CustomEvent("message", { detail }));
    } else if (data.type === "progress") {
      this.#enter("loading", data);
    } else if (data.type === "taken") {
      clearTimeout(request?.timer);
    } else if (request) {
      this.#requests.delete(data.id);
      if (data.type === "finished") return request.settle(data.ok);
      this.stop(data.why); // cells that fail say so in their output: this is Python itself
      request.fail(new Stopped(data.why));
    }
  }
}
