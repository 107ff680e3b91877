import { EXAMPLES } from "./examples.js";
import { sentence, table } from "./results.js";
import { Runner } from "./runner.js";
import { fromBase64, pack, toBase64, unpack } from "./share.js";

const find = (id) => document.getElementById(id);
const [text, policy, input, entry] = ["text", "policy", "input", "entry"].map(find);
const [gutter, status, results, drop, example] = ["gutter", "status", "results", "drop", "example"].map(find);
const runner = new Runner();

/** Bytes of a module that is no text. */
let wasm = null;

function show(state) {
  setModule(state.text ?? null, state.wasm ?? null, state.name);
  [policy.value, entry.value, input.value] = [state.policy, state.entry, state.input];
}

/** Either text, or bytes with a name. */
function setModule(newText, bytes, name = "module") {
  wasm = bytes;
  text.value = newText ?? "";
  drop.hidden = wasm !== null;
  find("binary").hidden = wasm === null;
  find("binary").textContent = wasm && `${name}: a binary module of ${wasm.length.toLocaleString("en")} bytes.`;
  mark(null);
}

/** Numbers the lines, and marks one. */
function mark(line) {
  const lines = text.value.split("\n").map((_, index) => {
    const number = document.createElement("span");
    number.textContent = `${index + 1}\n`;
    if (index + 1 === line) number.className = "marked";
    return number;
  });
  gutter.replaceChildren(...lines);
  gutter.scrollTop = text.scrollTop;
}

async function choose(chosen) {
  const bytes = chosen.url ? new Uint8Array(await (await fetch(chosen.url)).arrayBuffer()) : null;
  show({ ...chosen, text: chosen.text, wasm: bytes });
}

async function open(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isBinary = bytes[0] === 0 && bytes[1] === 0x61;
  setModule(isBinary ? null : new TextDecoder().decode(bytes), isBinary ? bytes : null, file.name);
  status.textContent = `Opened ${file.name}.`;
}

async function run() {
  mark(null);
  results.replaceChildren();
  status.textContent = "Running…";
  find("stop").disabled = false;
  const module = { text: wasm ? null : text.value, wasm, policy: policy.value, entry: entry.value, input: input.value };
  const found = await runner.run(module);
  find("stop").disabled = true;
  if (!found) {
    status.textContent = "Stopped.";
    return;
  }
  const failure = found.failure ?? found.results.find(({ error }) => error?.line)?.error;
  if (failure?.line) mark(failure.line);
  const where = failure?.line ? ` Line ${failure.line}.` : "";
  if (found.failure) {
    status.textContent = `${found.failure.code}: ${found.failure.message}.${where}`;
    return;
  }
  status.textContent = `${sentence(found.results)}.${where}`;
  results.replaceChildren(table(found.results));
}

async function share() {
  const module = wasm ? { wasm: toBase64(wasm) } : { text: text.value };
  location.hash = await pack({ ...module, policy: policy.value, entry: entry.value, input: input.value });
  try {
    await navigator.clipboard.writeText(location.href);
    status.textContent = "The link is copied.";
  } catch {
    status.textContent = "The link is in the address bar.";
  }
}

async function begin() {
  EXAMPLES.forEach(({ name }, index) => example.add(new Option(name, String(index))));
  try {
    if (location.hash.length > 1) {
      const state = await unpack(location.hash.slice(1));
      example.selectedIndex = -1;
      return show({ ...state, wasm: state.wasm ? fromBase64(state.wasm) : null });
    }
  } catch (error) {
    status.textContent = `The link cannot be read: ${error.message}`;
  }
  return choose(EXAMPLES[0]);
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
find("stop").addEventListener("click", () => runner.stop());
find("share").addEventListener("click", share);
find("file").addEventListener("change", ({ target }) => target.files[0] && open(target.files[0]));
example.addEventListener("change", () => choose(EXAMPLES[example.value]));
text.addEventListener("input", () => mark(null));
text.addEventListener("scroll", () => (gutter.scrollTop = text.scrollTop));
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("dragged");
});
drop.addEventListener("dragleave", () => drop.classList.remove("dragged"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("dragged");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
begin().then(() => (document.body.dataset.ready = "yes"));
