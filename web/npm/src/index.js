// hotcell: untrusted WebAssembly plugins under one policy.

import { HotcellError } from "./error.js";
import { Instance, setModule } from "./instance.js";
import { Policy } from "./policy.js";

export { HotcellError, Policy };

/**
 * Where the module `hotcell.wasm` is, when it is not beside this package: its bytes, its address or the compiled module.
 * Must be called before the first sandbox is made.
 */
export const init = setModule;

/** One policy on one engine. */
export class Sandbox {
  #instance;

  constructor(instance, policy, notes) {
    this.#instance = instance;
    this.policy = policy;
    this.notes = notes;
  }

  static async create(policy = Policy.default(), { engine = "wasmi" } = {}) {
    const instance = await Instance.create();
    const { json } = instance.request({ op: "sandbox", policy: policy.text, engine });
    return new Sandbox(instance, policy, json.notes);
  }

  /** Admits and compiles a module. */
  load(module, { entry, command = false, imports = {} } = {}) {
    const offered = this.#instance.offer(imports);
    const request = { op: "load", entry, command, imports: offered };
    const { json } = this.#instance.request(request, bytesOf(module));
    return new Plugin(this.#instance, json, command ? "_start" : entry);
  }
}

/** A module that was admitted. Every call gets a fresh instance of it. */
export class Plugin {
  #instance;
  #number;
  #entry;

  constructor(instance, { plugin, exports, notes }, entry) {
    this.#instance = instance;
    this.#number = plugin;
    this.#entry = entry;
    this.exports = exports;
    this.notes = notes;
  }

  /** Bytes in, bytes out. */
  call(input = new Uint8Array(), entry = this.#entry) {
    if (entry === undefined) throw new TypeError("the plugin was loaded without an entry");
    const { json, bytes } = this.#instance.request({ op: "call", plugin: this.#number, entry }, bytesOf(input));
    return { bytes, report: report(json.report) };
  }

  /** Calls an export with values, each as `[type, value]`. */
  callValues(name, params = []) {
    const texts = params.map(([type, value]) => [type, Object.is(value, -0) ? "-0" : String(value)]);
    const { json } = this.#instance.request({ op: "call-values", plugin: this.#number, export: name, params: texts });
    return { results: json.results.map(valueOf), report: report(json.report) };
  }

  /** Frees the plugin; what is never disposed of goes with its sandbox. */
  dispose() {
    this.#instance.request({ op: "drop", plugin: this.#number });
  }
}

/** The bytes of a text module (`.wat`). */
export async function assemble(text) {
  return (await Instance.create()).request({ op: "text" }, bytesOf(text)).bytes;
}

/** The line of a text module that makes the byte at `offset` of its bytes; `null` where that is not known. */
export async function lineOf(text, offset) {
  return (await Instance.create()).request({ op: "line", offset }, bytesOf(text)).json;
}

function bytesOf(input) {
  if (typeof input === "string") return new TextEncoder().encode(input);
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  throw new TypeError("expected a string, an ArrayBuffer or a view of one");
}

function report(json) {
  return { ...json, fuelUsed: json.fuelUsed === null ? null : BigInt(json.fuelUsed) };
}

function valueOf([type, text]) {
  if (type === "i64") return BigInt(text);
  if (type === "v128" || type === "funcref") return text;
  return text === "NaN" ? NaN : text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}
