// Pyodide without what only packages with compiled code would need, of which none comes to a page: a list of all of
// Python's functions, and those of them that nothing else calls. To hand over seven thousand takes a tenth of a second
// each time that a page starts.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";

const PYODIDE = join(dirname(fileURLToPath(import.meta.url)), "../node_modules/pyodide");
const read = (name) => readFileSync(join(PYODIDE, name));
const LISTED = /(?:\w+=)+Module\["\w+"\]=wasmExports\["(\w+)"\];/g; // as Emscripten writes it: a function gets its names
const DECLARED = /var ((?:\w+,){1000,}\w+);/;

export const { info } = JSON.parse(read("pyodide-lock.json"));

const wordsOf = (text) => new Set(text.replace(DECLARED, "").match(/\w+/g));
const script = read("pyodide.asm.mjs").toString();
const ours = readFileSync(join(PYODIDE, "../../js/boot.js"));
const names = wordsOf(`${script.replace(LISTED, "")}${read("pyodide.mjs")}${ours}`);
const isUsed = (name) => names.has(name) || names.has(`_${name}`);

/** A WebAssembly file that exports, of its functions, those alone whose name is wanted; what nothing calls then is left out. */
export const withFunctions = (file, wanted) => {
  const module = binaryen.readBinary(file);
  try {
    const all = Array.from({ length: module.getNumExports() }, (_, index) => module.getExportByIndex(index));
    const functions = all.map(binaryen.getExportInfo).filter(({ kind }) => kind === binaryen.ExternalFunction);
    for (const { name } of functions) if (!wanted(name)) module.removeExport(name);
    module.runPasses(["remove-unused-module-elements"]);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
};

/** The WebAssembly, which exports the functions that JavaScript calls. */
export const wasm = () => withFunctions(read("pyodide.asm.wasm"), isUsed);

const taken = script.replace(LISTED, (line, name) => (isUsed(name) ? line : ""));
const words = wordsOf(taken);
const contents = taken.replace(DECLARED, (_, list) => `var ${list.split(",").filter((name) => words.has(name))};`);

/** For esbuild: Emscripten's part of the JavaScript, which takes no more than those. */
export const shortened = {
  name: "pyodide",
  setup: (build) => build.onLoad({ filter: /pyodide\.asm\.mjs$/ }, () => ({ contents })),
};
