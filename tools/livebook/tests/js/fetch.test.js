// Files are counted while they come, and trusted only when they are those that were built.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, mock, test } from "node:test";
import { fetchChecked } from "../../js/fetch.js";

const BODY = "what was built";
const FILE = {
  file: "some.zip",
  bytes: BODY.length,
  integrity: `sha256-${createHash("sha256").update(BODY).digest("base64")}`,
};
const answer = (make) => mock.method(globalThis, "fetch", async () => make());
const fetched = (onBytes) => fetchChecked("http://host/", FILE, onBytes).content;

afterEach(() => mock.restoreAll());

test("the file comes, and is counted", async () => {
  const asked = answer(() => new Response(BODY));
  let count = 0;
  const content = await fetched((bytes) => (count += bytes));
  assert.equal(new TextDecoder().decode(content), BODY);
  assert.equal(count, BODY.length);
  assert.equal(asked.mock.calls[0].arguments[0], "http://host/some.zip");
});

test("its response can be read beside", async () => {
  answer(() => new Response(BODY));
  const { response, content } = fetchChecked("", FILE);
  assert.equal(await (await response).text(), BODY);
  await content;
});

for (const [what, make, why] of [
  ["missing", () => new Response("", { status: 404 }), "some.zip is missing (404)"],
  ["out of reach", () => Promise.reject(new TypeError()), "some.zip can't be loaded: is the network there?"],
  ["shorter", () => new Response("what"), "some.zip came only in part: 4 of 14 bytes"],
  ["another", () => new Response("what was botch"), "some.zip is not the file that this page was built with"],
  ["broken off", () => new Response(new ReadableStream({ start: (it) => it.error(new TypeError()) })), "some.zip came only in part"],
]) {
  test(`a file that is ${what} is not used`, async () => {
    answer(make);
    await assert.rejects(fetched(), { message: why });
  });
}

test("over plain http the browser checks", async () => {
  const asked = answer(() => new Response(BODY));
  const { subtle } = globalThis.crypto;
  Object.defineProperty(globalThis.crypto, "subtle", { configurable: true, value: undefined });
  await fetched();
  assert.equal(asked.mock.calls[0].arguments[1].integrity, FILE.integrity);
  Object.defineProperty(globalThis.crypto, "subtle", { configurable: true, value: subtle });
});
