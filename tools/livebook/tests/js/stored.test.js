// What the reader wrote into a page's cells and forms.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { everything, keep, recall, takeIn } from "../../js/stored.js";

let kept;

/** A browser's store: its own properties are what it keeps. */
class Store {
  getItem(key) {
    return this[key] ?? null;
  }
  setItem(key, value) {
    this[key] = value;
  }
  removeItem(key) {
    delete this[key];
  }
}

beforeEach(() => {
  kept = new Store();
  globalThis.location = { pathname: "/site/page.html" };
  globalThis.localStorage = kept;
});

test("what is kept is recalled", () => {
  assert.ok(keep("cell-sum", { code: "reader's" }));
  assert.deepEqual(recall("cell-sum"), { code: "reader's" });
});

test("each cell and each page has its own", () => {
  keep("cell-sum", { code: "reader's" });
  assert.equal(recall("cell-say"), null);
  globalThis.location = { pathname: "/other.html" };
  assert.equal(recall("cell-sum"), null);
});

test("null forgets", () => {
  keep("cell-sum", { code: "reader's" });
  keep("cell-sum", null);
  assert.deepEqual(Object.keys(kept), []);
});

test("what is no JSON is nothing", () => {
  kept.setItem("livebook:/site/page.html:cell-sum", "{");
  assert.equal(recall("cell-sum"), null);
});

test("a reader's whole work can be saved, and read back at another place", () => {
  keep("cell-sum", { code: "reader's" });
  keep("form a/b", { first: { x: "1" }, last: { x: "2" } }, "/site/");
  keep("sight", "near");
  keep("cell-sum", { code: "not of this book" }, "/another/page.html");
  const work = everything("/site/");
  assert.deepEqual(Object.keys(work), ["livebook:/site/:form a/b", "livebook:/site/page.html:cell-sum"]);
  globalThis.localStorage = kept = new Store();
  globalThis.location = { pathname: "/moved/to/page.html" };
  assert.deepEqual(takeIn(work, "/site/", "/moved/to/"), []);
  assert.deepEqual(recall("cell-sum"), { code: "reader's" });
  assert.deepEqual(recall("form a/b", "/moved/to/"), { first: { x: "1" }, last: { x: "2" } });
});

test("what is here is not overwritten by what is read", () => {
  keep("cell-sum", { code: "old" });
  const work = everything("/site/");
  keep("cell-sum", { code: "new" });
  assert.deepEqual(takeIn(work, "/site/", "/site/"), ["livebook:/site/page.html:cell-sum"]);
  assert.deepEqual(recall("cell-sum"), { code: "new" });
});

test("a file with anything else in it is refused whole", () => {
  const work = { "livebook:/site/page.html:cell-sum": "1", theme: "dark" };
  assert.throws(() => takeIn(work, "/site/", "/site/"), /"theme" is not of this book/);
  assert.deepEqual(Object.keys(kept), []);
});

test("a browser that keeps nothing says so, and no more", () => {
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get() {
      throw new DOMException("denied", "SecurityError");
    },
    set() {},
  });
  assert.equal(keep("cell-sum", { code: "reader's" }), false);
  assert.equal(recall("cell-sum"), null);
  delete globalThis.localStorage;
});
