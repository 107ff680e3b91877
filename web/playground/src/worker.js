// Where guests run: the page ends this worker when one does not end in time.

import { HotcellError, Policy, Sandbox, assemble, lineOf } from "../../npm/src/index.js";

self.onmessage = async ({ data: { job, text, wasm, policy, entry, input, engines } }) => {
  const results = [];
  let failure = null;
  try {
    const bytes = wasm ?? (await assemble(text));
    for (const engine of engines) {
      const result = await run(engine, bytes, { policy, entry, input });
      if (result.error && text !== null && result.error.offset !== null) {
        result.error.line = await lineOf(text, result.error.offset);
      }
      results.push(result);
    }
  } catch (error) {
    failure = plain(error);
  }
  self.postMessage({ job, results, failure });
};

async function run(engine, bytes, { policy, entry, input }) {
  try {
    const sandbox = await Sandbox.create(new Policy(policy), { engine });
    const plugin = sandbox.load(bytes, entry === "_start" ? { command: true } : { entry });
    const reply = plugin.call(input);
    return { engine, notes: sandbox.notes, bytes: reply.bytes, report: reply.report };
  } catch (error) {
    return { engine, error: plain(error) };
  }
}

/** What can be sent. */
function plain(error) {
  if (!(error instanceof HotcellError)) {
    return { code: "page", message: String(error), phase: null, offset: null, line: null, rejections: [], report: null };
  }
  const { code, message, phase, offset, line, rejections, report } = error;
  return { code, message, phase, offset, line, rejections, report };
}
