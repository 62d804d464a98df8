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

const BASE = new URL(".", import.meta.url).href;
const ATONCE = ["wasm", "first", "packages", "files"];

const total = ATONCE.reduce((sum, name) => sum + RUNTIME[name].bytes, 0);
let done = 0;
const count = (bytes) => postMessage({ type: "progress", done: (done += bytes), total });
const cache = self.location.search ? "reload" : "default"; // after a failure the cache is not to be trusted
const asked = Object.fromEntries(ATONCE.map((name) => [name, fetchChecked(BASE, RUNTIME[name], count, cache)]));
const compiled = WebAssembly.compileStreaming(asked.wasm.response);
const checked = Promise.all(ATONCE.map((name) => asked[name].content));
for (const early of [compiled, checked]) early.catch(() => {}); // `start` hears it

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

const start = async ({ folder }) => {
  const [, first, packages, files] = await checked; // nothing runs before
  WebAssembly.instantiateStreaming = async (_, imports) => {
    const module = await compiled;
    return { module, instance: await WebAssembly.instantiate(module, imports) };
  };
  const { fetch } = self;
  self.fetch = async (url) => new Response(String(url).endsWith(".wasm") ? null : first); // all that Pyodide asks for
  const python = await loadPyodide({
    createPyodideModule,
    indexURL: BASE,
    stdLibURL: `${BASE}first.zip`,
    lockFileContents: JSON.stringify({ info: INFO, packages: {} }),
    env: { JUPYTER_WIDGETS_ECHO: "0" }, // the page is the only one that would hear it
  });
  self.fetch = fetch;
  const post = (message, buffers) => postMessage({ type: "python", message, buffers });
  python.registerJsModule("livebook_page", { post, load_rest: loadRest, rest_integrity: RUNTIME.rest.integrity });
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
