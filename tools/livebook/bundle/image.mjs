// The image that every page's Python starts from: its memory, after it has imported what pages need. To start Python and
// to import takes a second; to put memory in place takes a tenth of it. Runs in a thread of its own (see bundle.mjs).

import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { constants, zstdCompressSync } from "node:zlib";
import { loadPyodide } from "pyodide";
import { demand } from "./names.mjs";

const PAGE = 65536;
const LARGE = 1 << 20; // bytes: that is Python itself; there are small helpers, too

/** Pyodide with this WebAssembly, and the memory that it had before anything ran. `called`: what pages call in it. */
const start = async (wasm, called, options) => {
  const { instantiate } = WebAssembly;
  const module = new WebAssembly.Module(wasm);
  demand(called, WebAssembly.Module.exports(module).map(({ name }) => name), "pyodide.asm.wasm");
  let initial;
  WebAssembly.instantiate = async (...given) => {
    const [source, imports] = given;
    if (!(source.byteLength > LARGE)) return instantiate(...given);
    const instance = await instantiate(module, imports);
    initial = new Uint8Array(instance.exports.memory.buffer).slice();
    return { module, instance };
  };
  try {
    const python = await loadPyodide(options);
    if (!initial) throw new Error("pyodide.mjs gave WebAssembly.instantiate nothing as large as pyodide.asm.wasm");
    demand(["__PyRuntime", "__PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET"], Object.keys(python._module), "pyodide.asm.mjs");
    return { python, initial };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
};

/** Overwrite what has been freed: it would only be weight. */
const wipe = (module) => {
  const [end, held] = [module._sbrk(0), []];
  const sizes = [...Array(12).keys()].map((power) => 2 ** (20 - power)); // from 1 MiB
  for (let size = 508; size >= 12; size -= 4) sizes.push(size);
  for (const size of sizes) {
    for (;;) {
      const place = module._malloc(size);
      held.push(place);
      module.HEAPU8.fill(0, place, place + size); // asked for each time: it is another when memory has grown
      if (place + size > end) break; // all of that size has been found
    }
  }
  held.forEach((place) => module._free(place));
};

/** The longest run of empty pages, which is not stored: from, to; and the end of what is stored. */
const layout = (memory) => {
  const used = (page) => memory.subarray(page * PAGE, (page + 1) * PAGE).some(Boolean);
  const pages = [...Array(memory.length / PAGE).keys()].filter(used);
  const [from, to] = pages.reduce(([a, b], page, i) => (page - pages[i - 1] > b - a ? [pages[i - 1], page] : [a, b]), [0, 0]);
  return [from + 1, to, pages.at(-1) + 1].map((page) => page * PAGE);
};

const pack = (parts, dictionary) => {
  const params = { [constants.ZSTD_c_compressionLevel]: 22, [constants.ZSTD_c_windowLog]: 25 };
  return zstdCompressSync(Buffer.concat(parts), { params, dictionary });
};

/**
 * Make the image with the WebAssembly file, the archives and Python's code. Returns {content, about}: the file, compressed
 * with the initial memory as its dictionary, and what the page has to know of it: the sizes of what it unpacks to, which are
 * memory above the gap (it goes to `to`), memory below it, and the packages; Pyodide's own head of a snapshot; and the address
 * where it keeps how this engine calls C functions.
 */
const makeImage = async ({ wasm, called, library, compiled, packages, code, imports }) => {
  // The same image each time and everywhere.
  Date.now = performance.now = () => 0;
  process.argv[1] = "python";
  const env = { LANG: "C.UTF-8", PYTHONHASHSEED: "0" };
  const { python, initial } = await start(wasm, called, { _makeSnapshot: true, env, stdLibURL: library });
  python.FS.writeFile("/lib/packages.zip", readFileSync(compiled));
  python.runPython(code);
  python.globals.get("main")(python.toPy(imports));
  python.runPython("globals().clear()");
  wipe(python._module);
  const { _emscripten_stack_get_end: bottom, _emscripten_stack_get_current: top } = python._module;
  python._module.HEAPU8.fill(0, bottom(), top()); // nobody is there any more
  const snapshot = python.makeMemorySnapshot();
  const { __PyRuntime: runtime, __PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET: offset, HEAP32, HEAPU8 } = python._module;
  const begin = snapshot.length - HEAPU8.length;
  const memory = snapshot.subarray(begin);
  const [from, to, end] = layout(memory);
  if (initial.subarray(from).some(Boolean)) throw new Error("the initial memory is larger than what is stored of it");
  const rest = [memory.subarray(to, end), memory.subarray(0, from), readFileSync(packages)];
  return {
    content: pack(rest, initial.subarray(0, from)),
    about: {
      sizes: rest.map((part) => part.length),
      to,
      head: Buffer.from(snapshot.subarray(0, begin)).toString("base64"),
      trampoline: runtime + HEAP32[offset / 4],
    },
  };
};

parentPort.postMessage(await makeImage(workerData));
