// The image that every page's Python starts from: its memory, after it has imported what pages need. To start Python and
// to import takes a second; to put memory in place takes a tenth of it. Runs in a thread of its own (see bundle.mjs).

import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { constants, zstdCompressSync } from "node:zlib";
import { loadPyodide } from "pyodide";

const PAGE = 65536;
const LARGE = 1 << 20; // bytes: that is Python itself; there are small helpers, too

/** Pyodide with this WebAssembly; the memory that it had before anything ran; and what makes another instance like its own. */
const start = async (wasm, options) => {
  const { instantiate } = WebAssembly;
  const module = new WebAssembly.Module(wasm);
  let initial, another;
  WebAssembly.instantiate = async (...given) => {
    const [source, imports] = given;
    if (!(source.byteLength > LARGE)) return instantiate(...given);
    const instance = await instantiate(module, imports);
    initial = new Uint8Array(instance.exports.memory.buffer).slice();
    another = () => new WebAssembly.Instance(module, imports);
    return { module, instance };
  };
  try {
    return { python: await loadPyodide(options), initial, another };
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

/** The first of some numbers for which something holds, as it does for all from there on. */
const firstOf = (low, high, holds) => {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
};

/** The part of the initial memory that libzstd needs to unpack it, its tables: tried out in instances that have no more. */
const findTables = (another, initial, packed) => {
  const unpack = (from, to) => {
    const zstd = another().exports;
    const memory = new Uint8Array(zstd.memory.buffer).fill(0);
    const context = (initial.length + packed.length + 63) & -64;
    const size = zstd.ZSTD_estimateDCtxSize();
    const target = context + size;
    memory.set(initial.subarray(from, to), from);
    memory.set(packed, initial.length);
    zstd.ZSTD_decompressDCtx(zstd.ZSTD_initStaticDCtx(context, size), target, initial.length, initial.length, packed.length);
    return memory.subarray(target, target + initial.length);
  };
  const suffices = (from, to) => {
    try {
      return Buffer.compare(unpack(from, to), initial) === 0;
    } catch {
      return false; // a table that is not there can lead it anywhere
    }
  };
  const to = firstOf(0, initial.length, (end) => suffices(0, end));
  const from = firstOf(0, to, (begin) => !suffices(begin + 1, to));
  return { at: from, base64: Buffer.from(initial.subarray(from, to)).toString("base64") };
};

/**
 * Make the image with the WebAssembly file, the archives and Python's code. Returns {content, about}: the compressed file,
 * and what the page has to know of it: how long its first part is, the initial memory; the sizes of what the second unpacks
 * to: memory above the gap, which goes to `to`, memory below it, and the packages; Pyodide's own head of a snapshot; the
 * address where it keeps how this engine calls C functions; and the tables without which nothing is unpacked.
 */
const makeImage = async ({ wasm, library, compiled, packages, code, imports }) => {
  // The same image each time and everywhere.
  Date.now = performance.now = () => 0;
  process.argv[1] = "python";
  const env = { LANG: "C.UTF-8", PYTHONHASHSEED: "0" };
  const { python, initial, another } = await start(wasm, { _makeSnapshot: true, env, stdLibURL: library });
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
  const begun = initial.subarray(0, from);
  const first = pack([begun]);
  return {
    content: Buffer.concat([first, pack(rest, begun)]),
    about: {
      first: first.length,
      sizes: rest.map((part) => part.length),
      to,
      head: Buffer.from(snapshot.subarray(0, begin)).toString("base64"),
      trampoline: runtime + HEAP32[offset / 4],
      tables: findTables(another, begun, first),
    },
  };
};

parentPort.postMessage(await makeImage(workerData));
