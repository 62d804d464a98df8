// A file of the runtime: counted while it comes, and trusted only when it is the one that was built.

const toBase64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));

/** All of a body, which is to be `bytes` long; with more or less it can't be right. */
const gather = async (response, bytes, onBytes) => {
  const content = new Uint8Array(bytes);
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return { content, length };
    if (length + value.length <= bytes) content.set(value, length);
    length += value.length;
    onBytes(value.length);
  }
};

/**
 * Fetch a file; `cache` is fetch's. `response` can be compiled while it streams, `content` settles to its bytes once they
 * are checked: use nothing of the one before the other is there. Rejects with what a reader can do something about.
 */
export const fetchChecked = (base, { file, bytes, integrity }, onBytes = () => {}, cache = "default") => {
  const secure = globalThis.crypto?.subtle; // not there over plain http: then the browser checks, without progress
  const response = fetch(base + file, secure ? { cache } : { cache, integrity }).then(
    (answer) => {
      if (!answer.ok) throw new Error(`${file} is missing (${answer.status})`);
      return answer;
    },
    () => {
      throw new Error(`${file} can't be loaded: is the network there?`);
    },
  );
  const check = async (copy) => {
    const { content, length } = await gather(copy, bytes, onBytes).catch(() => {
      throw new Error(`${file} came only in part`);
    });
    if (length < bytes) throw new Error(`${file} came only in part: ${length} of ${bytes} bytes`);
    const digest = secure ? `sha256-${toBase64(await secure.digest("SHA-256", content))}` : integrity;
    if (length > bytes || digest !== integrity) throw new Error(`${file} is not the file that this page was built with`);
    return content;
  };
  const copied = response.then((answer) => ({ answer, content: check(answer.clone()) }));
  const streamed = copied.then(({ answer }) => answer);
  streamed.catch(() => {}); // not everybody wants it
  return { response: streamed, content: copied.then(({ content }) => content) };
};
