// WebAssembly files.

const DATA = [11, 12]; // sections: initial memory, and how many parts it has

/** A number of a WebAssembly file (LEB128): itself, and where it ends. */
const number = (bytes, start) => {
  for (let [at, value] = [start, 0]; ; at += 1) {
    value += (bytes[at] & 127) * 2 ** (7 * (at - start));
    if (bytes[at] < 128) return [value, at + 1];
  }
};

/** A file without its initial memory, which comes with the image, where it weighs less. */
export const withoutMemory = (wasm) => {
  const kept = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length; ) {
    const [size, begin] = number(wasm, at + 1);
    if (!DATA.includes(wasm[at])) kept.push(wasm.subarray(at, begin + size));
    at = begin + size;
  }
  return Buffer.concat(kept);
};
