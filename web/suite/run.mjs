// Runs the conformance suite, one check in each instance: `node suite/run.mjs suite.wasm [PART-OF-AN-ID]`. Checks that need a
// thread cannot run here; `expected.json` lists them, and everything else must pass.

import { readFile } from "node:fs/promises";

import { runProgram } from "./wasi.mjs";

const here = (name) => new URL(name, import.meta.url);
const [file, part = ""] = process.argv.slice(2);
const module = await WebAssembly.compile(await readFile(file));
const expected = JSON.parse(await readFile(here("expected.json"), "utf8"));

const { judgeAll } = await import("./judge.mjs");
const result = judgeAll((args) => runProgram(module, ["suite", ...args]), (id) => id.includes(part), expected);
result.surprises.forEach((surprise) => console.error(surprise));
console.log(result.line);
process.exitCode = result.surprises.length === 0 ? 0 : 1;
