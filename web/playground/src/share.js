// The page's state in the fragment of its address, which no server sees.

/** The fragment for a state. */
export async function pack(state) {
  const stream = new Blob([JSON.stringify(state)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return toBase64(new Uint8Array(await new Response(stream).arrayBuffer()))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** A stranger's link is unpacked to this many bytes at most. */
const MOST_BYTES = 16 << 20;

/** The state in a fragment. Throws when it is none. */
export async function unpack(fragment) {
  const bytes = fromBase64(fragment.replaceAll("-", "+").replaceAll("_", "/"));
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const chunks = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > MOST_BYTES) throw new RangeError("the link holds too much");
    chunks.push(part.value);
  }
  const state = JSON.parse(await new Blob(chunks).text());
  const isText = (key) => typeof state[key] === "string";
  if (!["policy", "entry", "input"].every(isText) || !(isText("text") || isText("wasm"))) {
    throw new TypeError("the link holds something else");
  }
  return state;
}

export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
