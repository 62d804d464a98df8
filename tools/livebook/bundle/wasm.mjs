// WebAssembly files.

const EXPORTS = 7; // sections
const DATA = [11, 12]; // initial memory, and how many parts it has
const FUNCTION = 0; // kinds of what is exported

/** A number of a WebAssembly file (LEB128): itself, and where it ends. */
const number = (bytes, start) => {
  for (let [at, value] = [start, 0]; ; at += 1) {
    value += (bytes[at] & 127) * 2 ** (7 * (at - start));
    if (bytes[at] < 128) return [value, at + 1];
  }
};

const encoded = (value) => (value < 128 ? [value] : [128 | (value & 127), ...encoded(value >>> 7)]);

/** The file with `change(kind, content)` in place of each section's content; without those of which that makes nothing. */
const withSections = (wasm, change) => {
  const kept = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length; ) {
    const [size, begin] = number(wasm, at + 1);
    const content = change(wasm[at], wasm.subarray(begin, begin + size));
    if (content) kept.push(Buffer.from([wasm[at], ...encoded(content.length)]), content);
    at = begin + size;
  }
  return Buffer.concat(kept);
};

/** A file without its initial memory, which comes with the image, where it weighs less. */
export const withoutMemory = (wasm) => withSections(wasm, (kind, content) => !DATA.includes(kind) && content);

/** A file that exports, of its functions, those alone whose name is wanted. */
export const withFunctions = (wasm, wanted) =>
  withSections(wasm, (section, content) => {
    if (section !== EXPORTS) return content;
    let [count, at] = number(content, 0);
    const kept = [];
    for (; count; count -= 1) {
      const begin = at;
      const [length, name] = number(content, at);
      const kind = name + length;
      [, at] = number(content, kind + 1);
      if (content[kind] !== FUNCTION || wanted(content.toString("latin1", name, kind))) kept.push(content.subarray(begin, at));
    }
    return Buffer.concat([Buffer.from(encoded(kept.length)), ...kept]);
  });
