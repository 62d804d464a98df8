// Makes what live pages load: our JavaScript bundled with its libraries, Python's library and packages as byte code.
// `node bundle.mjs JOB.json`; the job is made by the Sphinx extension (runtime.py). The same input gives the same files.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { loadPyodide } from "pyodide";

const here = dirname(fileURLToPath(import.meta.url));
const { out, stage, imports } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const sum = (file, algorithm, encoding) => createHash(algorithm).update(readFileSync(file)).digest(encoding);

/** Name a file after its content, so that a browser never mixes two builds. */
const publish = (file) => {
  const [stem, ...ends] = file.split(".");
  const name = `${stem}.${sum(join(out, file), "sha256", "hex").slice(0, 12)}.${ends.join(".")}`;
  copyFileSync(join(out, file), join(out, name));
  rmSync(join(out, file));
  return name;
};

/** Byte code, made by the Python that will run it; which modules come later. */
const precompile = async () => {
  const python = await loadPyodide();
  python.mountNodeFS("/stage", stage);
  python.mountNodeFS("/out", out);
  python.runPython(readFileSync(join(here, "python", "precompile.py"), "utf8"));
  return python.globals.get("main")(imports).toJs();
};

const runtime = (file) => {
  const name = publish(file);
  const path = join(out, name);
  return { file: name, bytes: statSync(path).size, integrity: `sha256-${sum(path, "sha256", "base64")}` };
};

const bundle = (options) =>
  build({
    absWorkingDir: here,
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
const modules = await precompile();
copyFileSync(join(here, "node_modules/pyodide/pyodide.asm.wasm"), join(out, "python.wasm"));
const RUNTIME = {
  wasm: runtime("python.wasm"),
  first: runtime("first.zip"),
  rest: { ...runtime("rest.zip"), modules },
  packages: runtime("packages.zip"),
  files: runtime("files.zip"),
};
const { info } = JSON.parse(readFileSync(join(here, "node_modules/pyodide/pyodide-lock.json"), "utf8"));
const define = { INFO: JSON.stringify(info), RUNTIME: JSON.stringify(RUNTIME) };
await bundle({ entryPoints: ["js/worker.js"], format: "esm", define, external: ["node:*", "ws"] });
define.WORKER = JSON.stringify(publish("worker.js"));
for (const part of ["editor", "markdown", "widgets"]) {
  await bundle({ entryPoints: [`js/${part}.js`], globalName: `livebook.${part}` });
}
publish("widgets.css");
define.PARTS = JSON.stringify({ editor: publish("editor.js"), markdown: publish("markdown.js"), widgets: publish("widgets.js") });
await bundle({ entryPoints: [{ in: "js/main.js", out: "livebook" }, { in: "livebook.css", out: "livebook" }], define });
publish("livebook.js");
publish("livebook.css");
