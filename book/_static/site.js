// Small repairs of the theme: what scrolls, what is named twice, and paper.

// What scrolls can be reached by keyboard, as long as it does. The theme looks once, before all has its width.
const SCROLLS = "pre, .pst-scrollable-table-container, .cell_output > .output, .widget-subarea";
const reachable = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const long = target.matches("pre") && target.scrollHeight > target.clientHeight;
    if (long || target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const watch = (part) => {
  if (part.matches(SCROLLS)) reachable.observe(part);
  for (const region of part.querySelectorAll(SCROLLS)) reachable.observe(region);
};
const outputs = new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element) watch(node);
});

document.addEventListener("DOMContentLoaded", () => {
  watch(document.body);
  outputs.observe(document.querySelector("article") ?? document.body, { childList: true, subtree: true });
  // What can be read on these is a better name than the one they were given: who speaks to a browser says what is there.
  for (const button of document.querySelectorAll(".cell > details > summary, .search-button-field")) {
    button.removeAttribute("aria-label");
  }
  // All that can be read on a page belongs to a landmark; the book's title above its contents has none.
  const sidebar = document.querySelector("#pst-primary-sidebar");
  if (sidebar) Object.assign(sidebar, { role: "region", ariaLabel: "The book" });
  for (const icon of document.querySelectorAll(".theme-switch-button [title], .theme-switch-button svg")) {
    icon.removeAttribute("title");
    icon.querySelector("title")?.remove();
    icon.ariaHidden = "true";
  }
});

// Browsers print no backgrounds, and the dark scheme's light text can't be read on paper.
let scheme;
addEventListener("beforeprint", () => {
  scheme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = scheme;
});
