// A WebAssembly file is the same program without its initial memory, or with fewer exports.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withFunctions, withoutMemory } from "../../bundle/wasm.mjs";

const leb = (value) => (value < 128 ? [value] : [128 | (value & 127), value >> 7]); // up to 14 bits
const section = (kind, ...content) => [kind, ...leb(content.length), ...content];
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const MEMORY = section(5, 1, 0, 1); // one memory of one page
const EXPORT = section(7, 1, 1, 0x6d, 2, 0); // "m"
const COUNT = section(12, 1);
const LONG = [12, 0x81, 0x00, 1]; // the same, its size as a number of two bytes
const DATA = section(11, 1, 0, 0x41, 0, 0x0b, 3, 7, 8, 9); // at 0: 7 8 9
const NAMED = section(0, 1, 0x6e, 5);

const memoryOf = (bytes) => new Uint8Array(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.m.buffer);

for (const [what, count] of [["in one byte", COUNT], ["in two bytes", LONG]]) {
  test(`memory is left out, and all else is kept: a size ${what}`, () => {
    const file = Buffer.from([...HEAD, ...MEMORY, ...EXPORT, ...count, ...DATA, ...NAMED]);
    assert.deepEqual([...memoryOf(file).subarray(0, 3)], [7, 8, 9]);
    const bare = withoutMemory(file);
    assert.deepEqual([...bare], [...HEAD, ...MEMORY, ...EXPORT, ...NAMED]);
    assert.ok(memoryOf(bare).every((byte) => byte === 0));
  });
}

const name = (text) => [text.length, ...Buffer.from(text)];
const TYPE = section(1, 1, 0x60, 0, 1, 0x7f); // returns a number
const FUNCTIONS = section(3, 2, 0, 0);
const CODE = section(10, 2, 4, 0, 0x41, 1, 0x0b, 4, 0, 0x41, 2, 0x0b); // the one returns 1, the other 2
const EXPORTS = section(7, 3, ...name("one"), 0, 0, ...name("m"), 2, 0, ...name("two"), 0, 1);
const PROGRAM = Buffer.from([...HEAD, ...TYPE, ...FUNCTIONS, ...MEMORY, ...EXPORTS, ...CODE]);

const exportsOf = (bytes) => new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;

test("of the functions those alone are exported that are wanted, and whatever is none", () => {
  const exports = exportsOf(withFunctions(PROGRAM, (wanted) => wanted === "two"));
  assert.deepEqual(Object.keys(exports), ["m", "two"]);
  assert.equal(exports.two(), 2);
});

test("a program that keeps all its exports is the same, byte for byte", () => {
  assert.deepEqual([...withFunctions(PROGRAM, () => true)], [...PROGRAM]);
});

test("sizes of more than one byte are written as they are read", () => {
  const many = Array.from({ length: 200 }, (_, index) => `function${index}`);
  const all = section(7, ...leb(many.length), ...many.flatMap((text) => [...name(text), 0, 1]));
  const file = Buffer.from([...HEAD, ...TYPE, ...FUNCTIONS, ...all, ...CODE]);
  const half = withFunctions(file, (text) => Number(text.slice(8)) % 2);
  assert.deepEqual(Object.keys(exportsOf(half)), many.filter((_, index) => index % 2));
});
