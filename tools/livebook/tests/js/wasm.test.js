// A WebAssembly file without its initial memory is the same program, on a memory that is empty.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutMemory } from "../../bundle/wasm.mjs";

const section = (kind, ...content) => [kind, content.length, ...content];
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
