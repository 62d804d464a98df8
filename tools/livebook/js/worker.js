// Python's side of a live page: the worker that holds Pyodide. What a kernel does, `livebook_kernel.py` does.
//
// From the page: {id, type: "start", folder} first, then {id, type: "run", cell, code} and {id, type: "comm", message,
// buffers}. To the page: "lives", "progress" and "failed" while it starts, "finished" for each id, and Python's own messages
// ("python", see the kernel).

import { fetchChecked } from "./fetch.js";

/* global BOOT, RUNTIME -- set by bundle.mjs: the file that starts Python; its files with size and integrity */

navigator.locks?.request(self.name, () => {
  postMessage({ type: "lives", name: self.name });
  return new Promise(() => {});
});

const MOST_PAGES = (1 << 30) / 65536; // of WebAssembly memory, 1 GiB: who wants more gets a MemoryError, not the machine
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength / 65536 + pages > MOST_PAGES) throw new RangeError("a page has no more memory");
  return grow.call(this, pages);
};

const PAUSE = 100; // ms between two reports of progress
const BASE = new URL(".", import.meta.url).href;

const total = RUNTIME.wasm.bytes + RUNTIME.image.bytes;
let [done, told] = [0, 0];
const count = (bytes) => {
  done += bytes;
  if (done < total && performance.now() < told + PAUSE) return; // the page has other things to do
  told = performance.now();
  postMessage({ type: "progress", done, total });
};
const started = import(BASE + BOOT + self.location.search); // asked for first: it has much to do before it needs the files
// A copy is right however old it is: its name says what is in it, and that is checked. After a failure none is trusted.
const cache = self.location.search ? "reload" : "force-cache";
const [wasm, image] = [RUNTIME.wasm, RUNTIME.image].map((file) => fetchChecked(BASE, file, count, cache));
const compiled = WebAssembly.compileStreaming(wasm.response);
// What a host calls by another type is not compiled while it streams.
const module = wasm.content.then((content) => compiled.catch(() => WebAssembly.compile(content)));

const booted = started.then(({ boot }) => boot(BASE, module, image.content));
const checked = Promise.all([module, image.content]);
for (const early of [compiled, checked, booted]) early.catch(() => {}); // `start` hears it

/** The library's archive, which is fetched when a cell imports what is not in the image. */
const loadLibrary = () => {
  const request = new XMLHttpRequest();
  request.open("GET", BASE + RUNTIME.library.file, false);
  request.responseType = "arraybuffer";
  try {
    request.send();
  } catch {
    return new Uint8Array(); // which is not what was built
  }
  return new Uint8Array(request.status === 200 ? request.response : []);
};

const start = async ({ folder }) => {
  const [python] = await Promise.all([booted, checked]);
  const { kernel } = python.pyimport("livebook_kernel");
  const post = (message, buffers) => postMessage({ type: "python", message, buffers });
  kernel.start({ post, loadLibrary, integrity: RUNTIME.library.integrity }, folder);
  return kernel;
};

let kernel; // promised
const DO = {
  start: (data) => (kernel = start(data)).then(() => true),
  run: async ({ cell, code }) => (await kernel).run(cell, code),
  comm: async ({ message, buffers }) => (await kernel).comm_msg(message, buffers),
};

onmessage = async ({ data }) => {
  const { id, type } = data;
  try {
    postMessage({ type: "finished", id, ok: await DO[type](data) });
  } catch (error) {
    postMessage({ type: "failed", id, why: String(error.message ?? error) });
  }
};
