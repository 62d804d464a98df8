// Names that Emscripten and Pyodide promise nobody to keep. Where one is missing the build ends and says so, or pages
// would be built whose Python does not start.

import { basename } from "node:path";
import { readFileSync } from "node:fs";

/** What a pattern's group finds in a file. Throws if that is nothing. */
export const namesIn = (path, pattern) => {
  const found = [...readFileSync(path, "utf8").matchAll(pattern)].map(([, name]) => name);
  if (!found.length) throw new Error(`${basename(path)} has nothing like ${pattern}`);
  return found;
};

/** Throws if one of the names is not among those that are there. */
export const demand = (names, there, where) => {
  const gone = names.filter((name) => !there.includes(name));
  if (gone.length) throw new Error(`${where} has no ${gone.join(", ")}`);
};
