// The page's side of Python, with a worker that does what a test says.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Python, Stopped } from "../../js/python.js";

let workers, locks;

class FakeWorker {
  asked = [];

  constructor(address, { name }) {
    Object.assign(this, { address, name });
    workers.push(this);
  }

  postMessage(request) {
    this.asked.push(request);
    queueMicrotask(() => this.answer?.(request));
  }

  say(data) {
    this.onmessage({ data });
  }

  terminate() {
    this.ended = true;
  }
}

globalThis.WORKER = "worker.js";
globalThis.Worker = FakeWorker;
Object.defineProperty(globalThis, "navigator", {
  value: { locks: { request: (name, given) => locks.set(name, given) } },
});

let python, states;

beforeEach(() => {
  mock.timers.reset(); // whoever waited does so no longer
  mock.timers.enable({ apis: ["setTimeout"] });
  [workers, locks, states] = [[], new Map(), []];
  python = new Python("http://host/", "/book");
  python.addEventListener("state", ({ detail }) => states.push(detail.state));
});

/** A worker that does all it is asked. */
const started = async () => {
  const ready = python.start();
  workers.at(-1).answer = ({ id }) => workers.at(-1).say({ type: "finished", id, ok: true });
  await ready;
  return workers.at(-1);
};

test("nothing is loaded before it is asked for", () => assert.equal(workers.length, 0));

test("it is started once, in the folder of the page", async () => {
  const ready = python.start();
  assert.equal(python.start(), ready);
  const worker = await started();
  assert.equal(workers.length, 1);
  assert.equal(worker.address, "http://host/worker.js");
  assert.deepEqual(worker.asked, [{ id: 1, type: "start", folder: "/book" }]);
  assert.deepEqual(states, ["loading", "ready"]);
});

test("it says how far it is loaded", async () => {
  python.start();
  python.addEventListener("state", ({ detail }) => assert.deepEqual([detail.done, detail.total], [1, 2]));
  workers[0].say({ type: "progress", done: 1, total: 2 });
});

test("a cell that runs starts it", async () => {
  const done = python.run("cell 1", "1 + 1");
  const worker = await started();
  assert.equal(await done, true);
  assert.deepEqual(worker.asked[1], { id: 2, type: "run", cell: "cell 1", code: "1 + 1" });
  assert.deepEqual(states, ["loading", "ready", "busy", "ready"]);
});

test("a cell is handed over while Python starts, and runs once it is there", async () => {
  const done = python.run("cell 1", "1 + 1");
  assert.deepEqual(workers[0].asked.map(({ type }) => type), ["start", "run"]);
  assert.deepEqual(states, ["loading"]);
  workers[0].say({ type: "finished", id: 1, ok: true });
  await Promise.resolve(); // what follows a message is done before the next one comes
  workers[0].say({ type: "finished", id: 2, ok: true });
  assert.equal(await done, true);
  assert.deepEqual(states, ["loading", "ready", "busy", "ready"]);
});

test("a cell that was handed over to a Python that fails to start says why", async () => {
  const done = python.run("cell 1", "1 + 1");
  workers[0].say({ type: "failed", id: 1, why: "a file is missing" });
  await assert.rejects(done, { message: "a file is missing" });
  assert.equal(python.state, "failed");
});

test("what the kernel says is passed on", async () => {
  const heard = [];
  python.addEventListener("message", ({ detail }) => heard.push(detail));
  const worker = await started();
  worker.say({ type: "python", message: '{"type": "stream"}', buffers: [] });
  assert.deepEqual(heard, [{ message: { type: "stream" }, buffers: [] }]);
});

test("what is asked of a worker that is stopped ends at once", async () => {
  const worker = await started();
  worker.answer = null;
  const run = python.run("cell 1", "while True: pass");
  await Promise.resolve();
  const comm = python.comm({ comm_id: "1" });
  python.stop();
  await assert.rejects(run, Stopped);
  await assert.rejects(comm, Stopped);
  await assert.rejects(python.comm({}), Stopped);
  assert.ok(worker.ended);
  assert.equal(python.state, "off");
});

test("a start that fails says why, and the next one is new", async () => {
  const first = python.start();
  workers[0].say({ type: "failed", id: 1, why: "a file is missing" });
  await assert.rejects(first, { message: "a file is missing" });
  assert.equal(python.state, "failed");
  await started();
  assert.equal(workers.length, 2);
  assert.equal(python.state, "ready");
});

test("a worker that can't be loaded is a start that fails", async () => {
  const first = python.start();
  workers[0].onerror({ preventDefault() {} });
  await assert.rejects(first, { message: "worker.js can't be loaded" });
});

test("a start of which nothing comes for a minute has failed", async () => {
  const first = python.start();
  mock.timers.tick(50_000);
  workers[0].say({ type: "progress", done: 1, total: 2 });
  mock.timers.tick(50_000);
  assert.equal(python.state, "loading");
  mock.timers.tick(10_000);
  await assert.rejects(first, { message: "nothing has come of it for a minute" });
  assert.equal(python.state, "failed");
  await started();
  mock.timers.tick(100_000);
  assert.equal(python.state, "ready");
});

test("a worker that ends by itself lets go of its lock, which is a failure", async () => {
  const worker = await started();
  worker.say({ type: "lives", name: worker.name });
  assert.equal(python.state, "ready");
  locks.get(worker.name)();
  assert.equal(python.state, "failed");
});

test("a worker that was stopped is not missed", async () => {
  const worker = await started();
  worker.say({ type: "lives", name: worker.name });
  python.stop();
  const next = await started();
  locks.get(worker.name)();
  assert.equal(python.state, "ready");
  assert.notEqual(worker.name, next.name);
});
