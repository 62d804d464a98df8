// All of a reader's work as one file: what they wrote into cells and forms of this book, to be saved and read back.

import { button, make } from "./dom.js";
import { everything, takeIn } from "./stored.js";

const FORMAT = "livebook-work/1";
const ROOT = new URL("../../", document.currentScript.src).pathname; // the site's: our scripts are two folders below

const save = () => {
  const text = JSON.stringify({ format: FORMAT, root: ROOT, work: everything(ROOT) }, null, 1);
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const name = `my-work-${new Date().toISOString().slice(0, 10)}.json`;
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
};

const read = async (file, say) => {
  try {
    const { format, root, work } = JSON.parse(await file.text());
    if (format !== FORMAT) throw new Error(`it is no file of the kind ${FORMAT}`);
    const left = takeIn(work, root, ROOT);
    if (!left.length) return void location.reload();
    say(`Read, but for ${left.length} place(s) where this browser has something else of yours: that stays. Reload to see the rest.`);
  } catch (error) {
    say(`${file.name} was not read, and nothing has changed: ${error.message}.`);
  }
};

/** Put the two buttons at the end of the page. `say(words)`: tells the reader. */
export const offerWork = (say) => {
  const place = document.querySelector("article") ?? document.body;
  const file = make("input", { type: "file", accept: ".json,application/json", hidden: true });
  file.onchange = () => file.files[0] && read(file.files[0], say);
  const words = make("span", { textContent: "Your answers and your code stay in this browser. " });
  const buttons = [button("Save all to a file", save), button("Read a file back", () => file.click())];
  place.append(make("section", { className: "livebook-work", ariaLabel: "Your work" }, words, ...buttons, file));
};
