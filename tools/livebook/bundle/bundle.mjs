// Makes what live pages load: our JavaScript bundled with its libraries, and Python with its library and packages.
// `node bundle.mjs JOB.json`; the job is made by the Sphinx extension (runtime.py). The same input gives the same files.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { loadPyodide } from "pyodide";
import { namesIn } from "./names.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const above = dirname(here);
const PYODIDE = join(above, "node_modules/pyodide");
const { out, stage, imports } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const text = (name) => readFileSync(join(here, name), "utf8");
const sum = (file, algorithm, encoding) => createHash(algorithm).update(readFileSync(file)).digest(encoding);

/** Name a file after its content, so that a browser never mixes two builds. */
const publish = (file) => {
  const [stem, ...ends] = file.split(".");
  const name = `${stem}.${sum(join(out, file), "sha256", "hex").slice(0, 12)}.${ends.join(".")}`;
  copyFileSync(join(out, file), join(out, name));
  rmSync(join(out, file));
  return name;
};

/** Byte code, made by the Python that will run it; without columns, which weigh a fifth of it. */
const precompile = async () => {
  const python = await loadPyodide({ env: { PYTHONNODEBUGRANGES: "1" } });
  python.mountNodeFS("/stage", stage);
  python.mountNodeFS("/out", out);
  python.runPython(text("precompile.py"));
  python.globals.get("main")();
};

/** What image.mjs returns; its thread can do what most browsers can, that Python can wait for JavaScript's promises. */
const makeImage = (workerData) => {
  v8.setFlagsFromString("--experimental-wasm-jspi"); // new threads heed it
  const thread = new Worker(join(here, "image.mjs"), { workerData });
  return new Promise((settle, fail) => thread.once("message", settle).once("error", fail));
};

const runtime = (file) => {
  const name = publish(file);
  const path = join(out, name);
  return { file: name, bytes: statSync(path).size, integrity: `sha256-${sum(path, "sha256", "base64")}` };
};

const bundle = (options) =>
  build({
    absWorkingDir: above,
    bundle: true,
    minify: true,
    outdir: out,
    legalComments: "linked",
    logLevel: "error",
    target: "es2022",
    ...options,
  });

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await precompile();
const archives = { library: join(out, "library.zip"), compiled: join(stage, "compiled.zip"), packages: join(stage, "packages.zip") };
const wasm = readFileSync(join(PYODIDE, "pyodide.asm.wasm"));
const called = namesIn(join(above, "js/boot.js"), /\bzstd\.(\w+)/g);
const { content, about } = await makeImage({ wasm, called, ...archives, code: text("image.py"), imports });
writeFileSync(join(out, "python.wasm"), wasm);
writeFileSync(join(out, "image.bin"), content); // hosts take other endings for what a browser has to unpack
const RUNTIME = {
  wasm: runtime("python.wasm"),
  image: { ...runtime("image.bin"), ...about },
  library: runtime("library.zip"),
};
const { info } = JSON.parse(readFileSync(join(PYODIDE, "pyodide-lock.json")));
const define = { INFO: JSON.stringify(info), RUNTIME: JSON.stringify(RUNTIME) };
await bundle({ entryPoints: ["js/boot.js"], format: "esm", define, external: ["node:*", "ws"] });
define.BOOT = JSON.stringify(publish("boot.js"));
await bundle({ entryPoints: ["js/worker.js"], format: "esm", define });
define.WORKER = JSON.stringify(publish("worker.js"));
for (const part of ["editor", "markdown", "widgets"]) {
  const alias = { "sanitize-html": "./js/sanitize.js" }; // a third of the widgets' libraries
  await bundle({ entryPoints: [`js/${part}.js`], globalName: `livebook.${part}`, alias });
}
publish("widgets.css");
define.PARTS = JSON.stringify({ editor: publish("editor.js"), markdown: publish("markdown.js"), widgets: publish("widgets.js") });
await bundle({ entryPoints: [{ in: "js/main.js", out: "livebook" }, { in: "livebook.css", out: "livebook" }], define });
publish("livebook.js");
publish("livebook.css");
