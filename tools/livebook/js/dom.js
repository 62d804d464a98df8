// Making elements.

/** An element with these properties and what is in it. */
export const make = (tag, properties = {}, ...inside) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...inside);
  return made;
};

/** A button that does something. */
export const button = (name, action, properties) =>
  make("button", { type: "button", textContent: name, onclick: () => action(), ...properties });
