// The suite in a worker of a page.

import { judgeAll } from "./judge.mjs";
import { runSuite } from "./program.mjs";

self.onmessage = async ({ data: { backend, part, expected } }) => {
  const module = await WebAssembly.compileStreaming(fetch("suite.wasm"));
  const run = (args) => runSuite(module, [backend, ...args]);
  self.postMessage(judgeAll(run, (id) => id.includes(part), expected));
};
