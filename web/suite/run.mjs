// Runs the conformance suite, one check in each instance: `node suite/run.mjs suite.wasm BACKEND [PART-OF-AN-ID]`. What cannot
// pass here is in `expected.json`, with the reason; everything else must pass.

import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

import { judgeAll } from "./judge.mjs";
import { runSuite } from "./program.mjs";

/** Policies of the suite ask for more stack than a thread has by default. */
const STACK_MB = 64;

if (isMainThread) {
  // Node 20 knows what the presets allow only when it is told to.
  setFlagsFromString("--experimental-wasm-extended-const");
  const [file, backend, part = ""] = process.argv.slice(2);
  const expected = JSON.parse(await readFile(new URL("expected.json", import.meta.url), "utf8"))[backend];
  const settings = { workerData: { file, backend, part, expected }, resourceLimits: { stackSizeMb: STACK_MB } };
  const worker = new Worker(new URL(import.meta.url), settings);
  const result = await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  result.surprises.forEach((surprise) => console.error(surprise));
  console.log(`${backend}: ${result.line}`);
  process.exitCode = result.surprises.length === 0 ? 0 : 1;
} else {
  const { file, backend, part, expected } = workerData;
  const module = await WebAssembly.compile(await readFile(file));
  const run = (args) => runSuite(module, [backend, ...args]);
  parentPort.postMessage(judgeAll(run, (id) => id.includes(part), expected));
}
