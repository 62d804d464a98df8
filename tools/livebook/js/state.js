// What can be said of widgets from the state that is stored in a page, before any of them is made.

const REFERENCE = "IPY_MODEL_";
const STILL = new Set(["HTMLModel", "HTMLMathModel", "LabelModel", "ImageModel", "OutputModel"]);
const STEPS = ["step-back", "step-forward"]; // see stepping.js

const references = (value) =>
  [value].flat().filter((item) => typeof item === "string" && item.startsWith(REFERENCE)).map((item) => item.slice(REFERENCE.length));

/** The ids of a widget and of all that it holds. */
export const family = (models, id, found = new Set()) => {
  if (id in models && !found.has(id)) {
    found.add(id);
    for (const value of Object.values(models[id].state)) references(value).forEach((child) => family(models, child, found));
  }
  return found;
};

/** Can the reader do something with it? */
const isInput = ({ model_name: name, state }) => {
  const acts = name === "ButtonModel" || "value" in state || "index" in state;
  return acts && !STILL.has(name) && !STEPS.some((step) => state._dom_classes?.includes(step));
};

/** Does a widget need Python? Not if all that can be moved is tied to something in the page (`jslink`). */
export const needsPython = (models, id) => {
  const links = Object.values(models).filter(({ model_name: name }) => /Link/.test(name));
  const tied = new Set(links.flatMap(({ state }) => [...references(state.source), ...references(state.target)]));
  return [...family(models, id)].some((member) => isInput(models[member]) && !tied.has(member));
};
