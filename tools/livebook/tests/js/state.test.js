// What is said of widgets before any of them is made.

import assert from "node:assert/strict";
import { test } from "node:test";
import { family, needsPython } from "../../js/state.js";

const slider = { model_name: "IntSliderModel", state: { value: 1, layout: "IPY_MODEL_layout" } };
const label = { model_name: "LabelModel", state: { value: "words" } };
const layout = { model_name: "LayoutModel", state: {} };
const box = (...children) => ({ model_name: "VBoxModel", state: { children: children.map((id) => `IPY_MODEL_${id}`) } });
const link = (source, target) => ({
  model_name: "LinkModel",
  state: { source: [`IPY_MODEL_${source}`, "value"], target: [`IPY_MODEL_${target}`, "value"] },
});

test("a widget's family is all that it holds, near and far", () => {
  const models = { box: box("slider"), slider, layout, label };
  assert.deepEqual([...family(models, "box")].sort(), ["box", "layout", "slider"]);
});

test("widgets that hold each other are a family, too", () => {
  assert.deepEqual([...family({ one: box("two"), two: box("one") }, "one")], ["one", "two"]);
});

test("what is not stored belongs to no family", () => {
  assert.deepEqual([...family({}, "gone")], []);
});

test("a slider needs Python", () => assert.ok(needsPython({ box: box("slider"), slider }, "box")));
test("a button needs Python", () => assert.ok(needsPython({ b: { model_name: "ButtonModel", state: {} } }, "b")));
test("a label needs none", () => assert.ok(!needsPython({ box: box("label"), label }, "box")));

test("a slider that moves something in the page needs none", () => {
  assert.ok(!needsPython({ box: box("slider", "label"), slider, label, link: link("slider", "label") }, "box"));
});

test("one of two sliders that is tied is not enough", () => {
  const models = { box: box("slider", "free"), slider, free: slider, label, link: link("slider", "label") };
  assert.ok(needsPython(models, "box"));
});

test("the buttons of a stepper need none", () => {
  const back = { model_name: "ButtonModel", state: { _dom_classes: ["step-back"] } };
  assert.ok(!needsPython({ back }, "back"));
});
