// What the engines said, as a table. Guests' text is only ever text.

import { ENGINES } from "./runner.js";

/** Characters of a reply that are shown. */
const SHOWN = 20_000;

function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.className = className;
  made.append(content);
  return made;
}

export function table(results) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  head.append(element("td"));
  for (const { engine } of results) {
    const cell = element("th", ENGINES.find(({ id }) => id === engine).name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const [name, cellOf] of ROWS) {
    const cells = results.map((result) => cellOf(result, result.report ?? result.error?.report));
    if (cells.every((cell) => cell === null)) continue;
    const row = body.insertRow();
    const title = element("th", name);
    title.scope = "row";
    row.append(title);
    row.dataset.row = name.toLowerCase();
    cells.forEach((cell) => row.insertCell().append(cell ?? "–"));
  }
  return made;
}

const ROWS = [
  ["Verdict", ({ error }) => element("span", error?.code ?? "ok", error ? "bad" : "good")],
  ["Phase", ({ error }) => error?.phase ?? null],
  ["Why", ({ error }) => error?.message ?? null],
  ["Byte", ({ error }) => (error?.offset == null ? null : `${error.offset} (0x${error.offset.toString(16)})`)],
  ["Also", ({ error }) => error?.rejections.slice(1).map(({ code }) => code).join(", ") || null],
  ["Fuel", (_, report) => report?.fuelUsed?.toLocaleString("en") ?? null],
  ["Peak memory", (_, report) => (report ? `${report.peakMemoryBytes.toLocaleString("en")} bytes` : null)],
  ["Refused growths", (_, report) => report?.refusedGrowths.toLocaleString("en") ?? null],
  ["Time", (_, report) => (report ? `${report.guestMs.toFixed(1)} ms` : null)],
  ["Reply", ({ bytes }) => (bytes ? element("pre", new TextDecoder().decode(bytes).slice(0, SHOWN)) : null)],
  ["Notes", ({ notes }) => notes?.join(" ") || null],
];

/** One sentence for who does not see the table. */
export function sentence(results) {
  const parts = results.map(({ engine, error, report }) => {
    const fuel = (report ?? error?.report)?.fuelUsed;
    return `${engine}: ${error?.code ?? "ok"}${fuel == null ? "" : `, ${fuel.toLocaleString("en")} fuel`}`;
  });
  return parts.join("; ");
}
