// What is taken from Pyodide by name is there, or the build says what is not.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { demand, namesIn } from "../../bundle/names.mjs";

const BOOT = join(import.meta.dirname, "../../js/boot.js");

test("what pages call in Python's libzstd is found in the file that calls it", () => {
  const found = namesIn(BOOT, /\bzstd\.(\w+)/g);
  assert.ok(found.includes("ZSTD_decompress_usingDict"));
  assert.ok(found.includes("emscripten_stack_get_current"));
});

test("a pattern that finds nothing is named with its file", () =>
  assert.throws(() => namesIn(BOOT, /\bgzip\.(\w+)/g), { message: "boot.js has nothing like /\\bgzip\\.(\\w+)/g" }));

test("what is missing is named with its place", () => {
  demand(["one"], ["one", "two"], "some.wasm");
  assert.throws(() => demand(["one", "six", "ten"], ["one"], "some.wasm"), { message: "some.wasm has no six, ten" });
});
