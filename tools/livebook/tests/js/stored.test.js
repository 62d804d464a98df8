// What the reader wrote into a page's cells.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { keep, recall } from "../../js/stored.js";

let kept;

beforeEach(() => {
  kept = new Map();
  globalThis.location = { pathname: "/page.html" };
  globalThis.localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
});

test("what is kept is recalled", () => {
  assert.ok(keep("cell 1", "book's", "reader's"));
  assert.equal(recall("cell 1", "book's"), "reader's");
});

test("each cell and each page has its own", () => {
  keep("cell 1", "book's", "reader's");
  assert.equal(recall("cell 2", "book's"), null);
  globalThis.location = { pathname: "/other.html" };
  assert.equal(recall("cell 1", "book's"), null);
});

test("nothing is kept of a cell that is as in the book", () => {
  keep("cell 1", "book's", "reader's");
  keep("cell 1", "book's", "book's");
  assert.equal(kept.size, 0);
});

test("where the book has changed its code goes first", () => {
  keep("cell 1", "book's", "reader's");
  assert.equal(recall("cell 1", "book's new"), null);
});

test("what is no JSON is nothing", () => {
  kept.set("livebook:/page.html:cell 1", "{");
  assert.equal(recall("cell 1", "book's"), null);
});

test("a browser that keeps nothing says so, and no more", () => {
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get() {
      throw new DOMException("denied", "SecurityError");
    },
    set() {},
  });
  assert.equal(keep("cell 1", "book's", "reader's"), false);
  assert.equal(recall("cell 1", "book's"), null);
  delete globalThis.localStorage;
});
