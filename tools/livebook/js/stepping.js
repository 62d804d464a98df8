// What ipywidgets leave out on a page: Back and Forward without Python, and names for what has none.

/** A button of class `step-back` or `step-forward` moves the slider of its `.step-row` as an arrow key would. */
const step = (event) => {
  const button = event.target.closest?.(".step-back, .step-forward");
  const handle = button?.closest(".step-row")?.querySelector(".noUi-handle");
  if (!handle) return;
  event.stopPropagation(); // Python would do the same once more
  const key = button.classList.contains("step-back") ? "ArrowLeft" : "ArrowRight";
  handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  speak({ target: handle });
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

/** Say where a stepper stands in words: the entry of the list beside its slider. */
const speak = ({ target }) => {
  const row = target.closest?.(".step-row");
  const [handle, list] = [row?.querySelector(".noUi-handle"), row?.querySelector("select")];
  if (handle && list) handle.setAttribute("aria-valuetext", list.selectedOptions[0]?.textContent ?? "");
};

/** Widgets typeset their labels as version 2 of MathJax did; pages have version 3. */
const typeset = () => {
  const { MathJax } = window;
  if (!MathJax || MathJax.Hub) return;
  MathJax.Hub = { Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])) };
};

export const help = () => {
  typeset();
  document.addEventListener("click", step, true);
  for (const moved of ["focusin", "keyup", "pointerup", "change"]) document.addEventListener(moved, speak);
  new MutationObserver(() => document.querySelectorAll(".widget-slider:not([data-named])").forEach(name)).observe(
    document.body,
    { childList: true, subtree: true },
  );
};
