// The page's side of Python: one worker for the page's whole life, started once and asked through messages.

/* global WORKER -- set by bundle.mjs: the worker's file */

const PATIENCE = 60_000; // ms in which something of Python has to come while it is loading

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
  #last = 0;
  #search = "";
  #timer = 0;
  state = "off";
  why = ""; // why it has failed, if so
  #reach = () => {};
  /** Settles when the worker that was started last runs, or can't: until then it needs the page's thread. */
  reached = Promise.resolve();

  constructor(base, folder) {
    super();
    this.base = base;
    this.folder = folder;
  }

  #enter(state, detail = {}) {
    this.state = state;
    this.why = detail.why ?? "";
    clearTimeout(this.#timer);
    if (state === "loading") this.#timer = setTimeout(() => this.stop("nothing has come of it for a minute"), PATIENCE);
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
      const worker = new Worker(this.base + WORKER + this.#search, { type: "module", name: `livebook ${Math.random()}` });
      this.#worker = worker;
      this.reached = new Promise((settle) => (this.#reach = settle));
      worker.onmessage = ({ data }) => this.#hear(data, worker);
      worker.onerror = (event) => {
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

  /** Run a cell, one at a time: was it run to its end? */
  async run(cell, code) {
    const started = this.start();
    const done = this.#ask({ type: "run", cell, code }); // it waits there: when Python is ready, the page may be at work
    done.catch(() => {}); // what keeps Python from starting is heard first
    await started;
    this.#enter("busy");
    try {
      return await done;
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
    this.#reach();
    this.#worker?.terminate();
    this.#worker = this.#starting = null;
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    this.#search = why && "?anew"; // what failed may be in the browser's cache
    this.#enter(why ? "failed" : "off", { why });
    for (const { fail } of requests) fail(new Stopped(why || "Python was stopped"));
  }

  #ask(request) {
    if (!this.#worker) return Promise.reject(new Stopped("Python was stopped"));
    const id = ++this.#last;
    return new Promise((settle, fail) => {
      this.#requests.set(id, { settle, fail });
      this.#worker.postMessage({ id, ...request });
    });
  }

  #hear(data, worker) {
    this.#reach();
    const request = this.#requests.get(data.id);
    if (data.type === "python") {
      const detail = { message: JSON.parse(data.message), buffers: data.buffers };
      this.dispatchEvent(new CustomEvent("message", { detail }));
    } else if (data.type === "progress") {
      this.#enter("loading", data);
    } else if (data.type === "lives") {
      // It holds a lock of its name as long as it lives: who gets that after it knows that it has ended, for whatever reason.
      navigator.locks.request(data.name, () => worker === this.#worker && this.stop("it has ended"));
    } else if (request) {
      this.#requests.delete(data.id);
      if (data.type === "finished") return request.settle(data.ok);
      this.stop(data.why); // cells that fail say so in their output: this is Python itself
      request.fail(new Stopped(data.why));
    }
  }
}
