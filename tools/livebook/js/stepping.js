// What ipywidgets leave out on a page: Back, Forward and the arrow keys without Python, names for what has none, and what
// a step says for those who do not see it.

const KEYS = ["ArrowLeft", "ArrowRight"];
// What takes the arrow keys for itself.
const OWN_KEYS = "input, select, textarea, [contenteditable=true], .noUi-handle, [role=textbox], .cm-editor";
const STEPPER = ".stepper";

/** Move a slider by an arrow key: it does the rest, as if the reader had pressed it. */
const press = (handle, key) => handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

/** A button of class `step-back` or `step-forward` moves the slider of its `.step-row`. */
const step = (event) => {
  const button = event.target.closest?.(".step-back, .step-forward");
  const handle = button?.closest(".step-row")?.querySelector(".noUi-handle");
  if (!handle) return;
  event.stopPropagation(); // Python would do the same once more
  press(handle, KEYS[button.classList.contains("step-back") ? 0 : 1]);
};

/** An arrow key anywhere in a stepper moves its slider, where nothing else wants the key. */
const arrow = (event) => {
  if (!KEYS.includes(event.key) || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const { target } = event;
  const handle = !target.closest?.(OWN_KEYS) && target.closest?.(STEPPER)?.querySelector(".step-row .noUi-handle");
  if (!handle) return;
  event.preventDefault();
  event.stopPropagation();
  press(handle, event.key);
};

/** A slider's description is a label beside it that belongs to nothing: give it to the handle and to the number. */
const name = (slider) => {
  const label = slider.querySelector(".widget-label")?.textContent;
  const handle = slider.querySelector(".noUi-handle");
  if (!label || !handle) return;
  handle.ariaLabel = label;
  const readout = slider.querySelector(".widget-readout");
  if (readout) Object.assign(readout, { role: "textbox", ariaLabel: `${label}: number` });
  slider.dataset.named = "";
};

/**
 * Say what a step shows: its `role="status"` was put on the page together with its text, which nobody announces, so the
 * text goes into a region that was there before.
 */
const announce = (stepper) => {
  const [handle, row] = [stepper.querySelector(".step-row .noUi-handle"), stepper.querySelector(".step-row")];
  const says = stepper.querySelector("[role=status]:not(.step-says)");
  if (!handle || !says) return;
  const text = says.textContent;
  let region = row.querySelector(".step-says");
  if (!region) {
    region = Object.assign(document.createElement("span"), { className: "step-says", role: "status" });
    row.append(region);
    stepper.tabIndex = -1; // a click into the picture, and the arrow keys step
    region.dataset.text = text; // what is there from the start is no news
  }
  says.removeAttribute("role");
  handle.setAttribute("aria-valuetext", text);
  if (region.dataset.text !== text) region.dataset.text = region.textContent = text;
};

/** Widgets typeset their labels as version 2 of MathJax did; pages have version 3. */
const typeset = () => {
  const { MathJax } = window;
  if (!MathJax || MathJax.Hub) return;
  MathJax.Hub = { Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])) };
};

const mend = () => {
  document.querySelectorAll(".widget-slider:not([data-named])").forEach(name);
  document.querySelectorAll(STEPPER).forEach(announce);
};

export const help = () => {
  typeset();
  document.addEventListener("click", step, true);
  document.addEventListener("keydown", arrow, true);
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
};
