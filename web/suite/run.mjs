// Runs the conformance suite, one check in each instance: `node suite/run.mjs suite.wasm BACKEND [PART-OF-AN-ID]`. What cannot
// pass here is in `expected.json`, with the reason; everything else must pass.

import { readFile } from "node:fs/promises";

import { judgeAll } from "./judge.mjs";
import { runSuite } from "./program.mjs";

const [file, backend, part = ""] = process.argv.slice(2);
const module = await WebAssembly.compile(await readFile(file));
const expected = JSON.parse(await readFile(new URL("expected.json", import.meta.url), "utf8"))[backend];

const result = judgeAll((args) => runSuite(module, [backend, ...args]), (id) => id.includes(part), expected);
result.surprises.forEach((surprise) => console.error(surprise));
console.log(`${backend}: ${result.line}`);
process.exitCode = result.surprises.length === 0 ? 0 : 1;
