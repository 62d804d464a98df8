// Starts Pyodide from its image (see bundle/image.mjs), the memory of a Python that has imported what pages need.

import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";

/* global INFO, RUNTIME -- set by bundle.mjs: which Pyodide it is; its files, and what is to be known of them */

const { bytes: size, to, sizes, head, trampoline } = RUNTIME.image;
const [high, low, archive] = sizes;
const PAGE = 65536;
const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** Where in memory what is needed for a while. What is unpacked above the gap is in its place already. */
const places = (zstd) => {
  const moved = to + high; // what belongs below the gap, and the archive of the packages
  const initial = moved + low + archive; // the memory that an instance begins with, the image's dictionary
  const context = (initial + low + 63) & -64;
  const packed = context + zstd.ZSTD_estimateDCtxSize();
  return { moved, initial, context, packed, end: packed + size };
};

/** Make room in a new instance, and keep the memory that it begins with. */
const begin = (python) => {
  const { initial, end } = places(python);
  python.memory.grow(Math.max(0, Math.ceil((end - python.memory.buffer.byteLength) / PAGE)));
  new Uint8Array(python.memory.buffer).copyWithin(initial, 0, low);
};

/**
 * Put the image's memory in the place of what Pyodide has made of the initial one. Python's own libzstd unpacks it, most of it
 * right where it belongs. Returns the archive of the packages.
 */
const restore = (made, zstd, file) => {
  const { moved, initial, context, packed, end } = places(zstd);
  const calls = made.HEAP32[trampoline / 4]; // an index of this engine's table, not of that which made the image
  const stack = zstd.emscripten_stack_get_current();
  made.HEAPU8.set(file, packed);
  zstd._emscripten_stack_restore(to); // or it would be written over while it is used
  const unpacker = zstd.ZSTD_initStaticDCtx(context, packed - context); // which needs no memory but that
  zstd.ZSTD_decompress_usingDict(unpacker, to, initial - to, packed, size, initial, low);
  zstd._emscripten_stack_restore(stack);
  made.HEAPU8.copyWithin(0, moved, moved + low);
  made.HEAP32[trampoline / 4] = calls;
  const packages = made.HEAPU8.slice(moved + low, initial);
  made.HEAPU8.fill(0, moved, end);
  return packages;
};

/** Start it. `module`: promises the compiled WebAssembly; `image`: the file. */
export const boot = async (base, module, image) => {
  const instantiate = async (imports) => {
    const instance = await WebAssembly.instantiate(await module, imports);
    begin(instance.exports);
    return { module: await module, instance };
  };
  const instantiated = new Promise((settle) => {
    WebAssembly.instantiateStreaming = (_, imports) => {
      settle(instantiate(imports));
      return instantiated;
    };
  });
  let packages;
  const create = async (settings) => {
    const made = await createPyodideModule(settings);
    packages = restore(made, (await instantiated).instance.exports, await image);
    return made;
  };
  const { fetch } = self;
  self.fetch = async () => new Response(); // it has all that it would ask for
  const loaded = loadPyodide({
    createPyodideModule: create,
    indexURL: base,
    stdLibURL: `${base}library.zip`,
    lockFileContents: JSON.stringify({ info: INFO, packages: {} }),
    _loadSnapshot: bytesOf(head),
  });
  const [python] = await Promise.all([loaded, instantiated]); // it would wait for ever for an instance that fails
  self.fetch = fetch;
  python.FS.writeFile("/lib/packages.zip", packages);
  return python;
};
