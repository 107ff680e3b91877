import { engineImports } from "../../backends/js/engine.js";
import { runProgram } from "./wasi.mjs";

/** Runs the suite's program with arguments, in an instance of its own: what it printed. */
export function runSuite(module, args) {
  return runProgram(module, ["suite", ...args], (exports) => ({ hotcell_engine: engineImports(exports) }));
}
