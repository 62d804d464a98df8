// Starts Pyodide from its image (see bundle/image.mjs), the memory of a Python that has imported what pages need.

import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";

/* global INFO, RUNTIME -- set by bundle.mjs: which Pyodide it is; its files, and what is to be known of them */

const { sizes, to, head, trampoline } = RUNTIME.image;

/**
 * Unpack what comes after the initial memory, mostly where it belongs: with Python's own libzstd, whose machine code
 * browsers keep between visits. Returns the archive of the packages.
 */
const restore = (made, zstd, { initial, rest }) => {
  const [high, low, archive] = sizes;
  const moved = to + high; // what is unpacked here has another place
  const context = (moved + low + archive + 63) & -64;
  const packed = context + zstd.ZSTD_estimateDCtxSize();
  const known = packed + rest.length;
  const end = known + initial.length;
  if (end > made.HEAPU8.length) made._emscripten_resize_heap(end);
  const calls = made.HEAP32[trampoline / 4]; // an index of this engine's table, not of that which made the image
  const stack = zstd.emscripten_stack_get_current();
  zstd._emscripten_stack_restore(to); // or it would be written over while it is used
  made.HEAPU8.set(rest, packed);
  made.HEAPU8.set(initial, known);
  const workspace = zstd.ZSTD_initStaticDCtx(context, packed - context);
  zstd.ZSTD_decompress_usingDict(workspace, to, context - to, packed, rest.length, known, initial.length);
  zstd._emscripten_stack_restore(stack);
  made.HEAPU8.copyWithin(0, moved, moved + low);
  made.HEAP32[trampoline / 4] = calls;
  const packages = made.HEAPU8.slice(moved + low, moved + low + archive);
  made.HEAPU8.fill(0, moved, end);
  return packages;
};

/** Start it. `module`: promises the compiled WebAssembly; `image`: {initial, rest}, see the worker. */
export const boot = async (base, module, image) => {
  const instantiate = async (imports) => {
    const instance = await WebAssembly.instantiate(await module, imports);
    new Uint8Array(instance.exports.memory.buffer).set((await image).initial);
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
    _loadSnapshot: Uint8Array.from(atob(head), (byte) => byte.charCodeAt(0)),
  });
  const [python] = await Promise.all([loaded, instantiated]); // it would wait for ever for an instance that fails
  self.fetch = fetch;
  python.FS.writeFile("/lib/packages.zip", packages);
  return python;
};
