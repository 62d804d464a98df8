// A WebAssembly file with fewer exports does what it did.

import assert from "node:assert/strict";
import { test } from "node:test";
import binaryen from "binaryen";
import { withFunctions } from "../../bundle/pyodide.mjs";

const PROGRAM = `(module
  (memory (export "memory") 1)
  (data (i32.const 0) "abc")
  (table 1 funcref)
  (elem (i32.const 0) $inTable)
  (func $inTable (result i32) (i32.const 3))
  (func $callee (result i32) (i32.const 2))
  (func $one (export "one") (result i32) (call $callee))
  (func $two (export "two") (result i32) (i32.add (call $callee) (call_indirect (result i32) (i32.const 0))))
  (func $three (export "three") (result i32) (i32.const 1)))`;
const file = binaryen.parseText(PROGRAM).emitBinary();
const functionsOf = (bytes) => binaryen.readBinary(bytes).getNumFunctions();
const cut = withFunctions(file, (name) => name === "two");
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(cut));

test("of the functions those alone are exported that are wanted, and whatever is none", () =>
  assert.deepEqual(Object.keys(exports), ["memory", "two"]));

test("what is exported does what it did, with what it calls and with the memory that it begins with", () => {
  assert.equal(exports.two(), 5);
  assert.equal(Buffer.from(exports.memory.buffer, 0, 4).toString(), "abc\0");
});

test("what nothing calls is left out", () => assert.deepEqual([functionsOf(file), functionsOf(cut)], [5, 3]));

test("the same file is made each time", () => assert.deepEqual(withFunctions(file, (name) => name === "two"), cut));
