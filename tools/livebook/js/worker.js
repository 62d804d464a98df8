// Python's side of a live page: the worker that holds Pyodide. What a kernel does, `livebook_kernel.py` does.
//
// From the page: {id, type: "start", folder} first, then {id, type: "run", cell, code} and {id, type: "comm", message,
// buffers}. To the page: "lives", "progress" and "failed" while it starts, "finished" for each id, and Python's own messages
// ("python", see the kernel).

import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";
import { fetchChecked } from "./fetch.js";

/* global INFO, RUNTIME -- set by bundle.mjs: which Pyodide it is; its files with size and integrity */

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
const ATONCE = ["wasm", "first", "packages", "files"]; // `first` is the part of the standard library that is needed

const total = ATONCE.reduce((sum, name) => sum + RUNTIME[name].bytes, 0);
let [done, told] = [0, 0];
const count = (bytes) => {
  done += bytes;
  if (done < total && performance.now() < told + PAUSE) return; // the page has other things to do
  told = performance.now();
  postMessage({ type: "progress", done, total });
};
const cache = self.location.search ? "reload" : "default"; // after a failure the cache is not to be trusted
const asked = Object.fromEntries(ATONCE.map((name) => [name, fetchChecked(BASE, RUNTIME[name], count, cache)]));
const compiled = WebAssembly.compileStreaming(asked.wasm.response);
const checked = Promise.all(ATONCE.map((name) => asked[name].content));

/** What a page needs at first only if a cell imports it: the rest of the standard library, at that moment. */
const loadRest = () => {
  const request = new XMLHttpRequest();
  request.open("GET", BASE + RUNTIME.rest.file, false);
  request.responseType = "arraybuffer";
  try {
    request.send();
  } catch {
    return new Uint8Array(); // which is not what was built
  }
  return new Uint8Array(request.status === 200 ? request.response : []);
};

/** Pyodide, which starts while its files come; it gets what is checked, or waits for ever while `start` says why. */
const boot = async () => {
  const sure = checked.catch(() => new Promise(() => {}));
  WebAssembly.instantiateStreaming = async (_, imports) => {
    const module = await sure.then(() => compiled);
    return { module, instance: await WebAssembly.instantiate(module, imports) };
  };
  const { fetch } = self;
  // It asks for nothing but these two.
  self.fetch = async (url) => new Response(String(url).endsWith(".wasm") ? null : (await sure)[1]);
  const python = await loadPyodide({
    createPyodideModule,
    indexURL: BASE,
    stdLibURL: `${BASE}first.zip`,
    lockFileContents: JSON.stringify({ info: INFO, packages: {} }),
    env: { JUPYTER_WIDGETS_ECHO: "0" }, // the page is the only one that would hear it
  });
  self.fetch = fetch;
  return python;
};
const booted = boot();
for (const early of [compiled, checked, booted]) early.catch(() => {}); // `start` hears it

const start = async ({ folder }) => {
  const [[, , packages, files], python] = await Promise.all([checked, booted]);
  const post = (message, buffers) => postMessage({ type: "python", message, buffers });
  const { integrity: rest_integrity, modules: rest_modules } = RUNTIME.rest;
  python.registerJsModule("livebook_page", { post, load_rest: loadRest, rest_integrity, rest_modules });
  python.FS.writeFile("/lib/packages.zip", packages);
  python.FS.writeFile("/lib/files.zip", files);
  python.runPython("import sys; sys.path.insert(0, '/lib/packages.zip')");
  const { kernel } = python.pyimport("livebook_kernel");
  kernel.start(folder);
  return kernel;
};

const DO = {
  start,
  run: async ({ cell, code }, kernel) => kernel.run(cell, code),
  comm: async ({ message, buffers }, kernel) => kernel.comm_msg(message, buffers),
};

let kernel;
onmessage = async ({ data }) => {
  const { id, type } = data;
  try {
    const result = await DO[type](data, kernel);
    if (type === "start") kernel = result;
    postMessage({ type: "finished", id, ok: type === "start" || result });
  } catch (error) {
    postMessage({ type: "failed", id, why: String(error.message ?? error) });
  }
};
