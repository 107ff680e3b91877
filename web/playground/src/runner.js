// Runs jobs in a worker, which is replaced when it does not answer in time.

import Worker from "./worker.js?worker&inline";

/** Engines, in the order of the columns. */
export const ENGINES = [
  { id: "wasmi", name: "wasmi, an interpreter" },
  { id: "js", name: "this browser's engine" },
];

/** No policy's deadline keeps a job longer than this. */
const PATIENCE_MS = 60_000;

export class Runner {
  #worker = null;
  #job = 0;
  #abandon = null;

  /** Resolves to what the worker found; `null` when it was stopped. */
  run(module) {
    this.stop();
    this.#worker ??= new Worker();
    const job = ++this.#job;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.stop(), PATIENCE_MS);
      const end = (found) => {
        clearTimeout(timer);
        this.#abandon = null;
        resolve(found);
      };
      this.#abandon = () => end(null);
      this.#worker.onmessage = ({ data }) => data.job === job && end(data);
      this.#worker.onerror = (event) => {
        event.preventDefault();
        this.stop();
      };
      this.#worker.postMessage({ job, engines: ENGINES.map(({ id }) => id), ...module });
    });
  }

  /** Ends whatever runs. */
  stop() {
    if (!this.#abandon) return;
    this.#worker.terminate();
    this.#worker = null;
    this.#abandon();
  }
}
