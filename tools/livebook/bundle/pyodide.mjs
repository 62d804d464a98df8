// Pyodide without what only packages with compiled code would need, of which none comes to a page: a list of all of
// Python's functions. To hand over seven thousand of them takes a tenth of a second each time that a page starts.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withFunctions } from "./wasm.mjs";

const PYODIDE = join(dirname(fileURLToPath(import.meta.url)), "../node_modules/pyodide");
const read = (name) => readFileSync(join(PYODIDE, name));
const LISTED = /(?:\w+=)+Module\["\w+"\]=wasmExports\["(\w+)"\];/g; // as Emscripten writes it: a function gets its names
const DECLARED = /var (?:\w+,){1000,}\w+;/;

export const { info } = JSON.parse(read("pyodide-lock.json"));

const script = read("pyodide.asm.mjs").toString();
const rest = script.replace(LISTED, "").replace(DECLARED, "");
const ours = readFileSync(join(PYODIDE, "../../js/boot.js"));
const names = new Set(`${rest}${read("pyodide.mjs")}${ours}`.match(/\w+/g));
const isUsed = (name) => names.has(name) || names.has(`_${name}`);

/** The WebAssembly, which exports the functions that JavaScript calls. */
export const wasm = withFunctions(read("pyodide.asm.wasm"), isUsed);

/** For esbuild: Emscripten's part of the JavaScript, which takes no more than those. */
export const shortened = {
  name: "pyodide",
  setup: (build) =>
    build.onLoad({ filter: /pyodide\.asm\.mjs$/ }, () => ({
      contents: script.replace(LISTED, (line, name) => (isUsed(name) ? line : "")),
    })),
};
