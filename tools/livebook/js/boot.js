// Starts Pyodide from its image (see bundle/image.mjs), the memory of a Python that has imported what pages need.

import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide";

/* global INFO, RUNTIME -- set by bundle.mjs: which Pyodide it is; its files, and what is to be known of them */

const { to, head, trampoline } = RUNTIME.image;

/** Start it. `module`: promises the compiled WebAssembly, `unpacked`: the parts of the image. */
export const boot = async (base, module, unpacked) => {
  WebAssembly.instantiateStreaming = async (_, imports) => {
    const instance = await WebAssembly.instantiate(await module, imports);
    const [low, , difference] = await unpacked;
    const initial = new Uint8Array(instance.exports.memory.buffer);
    for (let place = 0; place < low.length; place += 1) initial[place] = low[place] ^ difference[place];
    return { module: await module, instance };
  };
  const restore = (made, [low, high]) => {
    const calls = made.HEAP32[trampoline / 4]; // an index of this engine's table, not of that which made the image
    if (to + high.length > made.HEAPU8.length) made._emscripten_resize_heap(to + high.length);
    made.HEAPU8.set(low); // which is another array by now, if memory has grown
    made.HEAPU8.set(high, to);
    made.HEAP32[trampoline / 4] = calls;
  };
  const { fetch } = self;
  self.fetch = async () => new Response(); // it has all that it would ask for
  const python = await loadPyodide({
    createPyodideModule: async (settings) => {
      const made = await createPyodideModule(settings);
      restore(made, await unpacked);
      return made;
    },
    indexURL: base,
    stdLibURL: `${base}library.zip`,
    lockFileContents: JSON.stringify({ info: INFO, packages: {} }),
    _loadSnapshot: Uint8Array.from(atob(head), (byte) => byte.charCodeAt(0)),
  });
  self.fetch = fetch;
  python.FS.writeFile("/lib/packages.zip", (await unpacked).at(-1));
  return python;
};
