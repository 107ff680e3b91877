// The WebAssembly module of this package, and what crosses its boundary.

import { engineImports } from "./engine.js";
import { HotcellError } from "./error.js";

let given = null;
let compiled = null;

export function setModule(module) {
  given = module;
  compiled = null;
}

/** Compiles the module once. */
function module() {
  compiled ??= compile(given ?? new URL("../hotcell.wasm", import.meta.url));
  return compiled;
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (!(source instanceof URL) && typeof source !== "string") return WebAssembly.compile(source);
  const url = source instanceof URL ? source : new URL(source, globalThis.location?.href);
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return WebAssembly.compile(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: status ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

const SIZES = { i32: 4, i64: 8, f32: 4, f64: 8 };
// Offsets of the frame of a host function.
const [CHARGE, MEMORY, MEMORY_LEN, VALUES, MESSAGE, MESSAGE_LEN] = [0, 8, 12, 16, 20, 24];

/** An instance of the module: nothing that happens in one reaches another. */
export class Instance {
  #exports;
  #functions = [];
  /** Why no more requests are answered. */
  #ended = null;

  static async create() {
    const instance = new Instance();
    const imports = { now: () => performance.now(), host: (id, frame) => instance.#host(id, frame) };
    const { exports } = await WebAssembly.instantiate(await module(), {
      hotcell: imports,
      hotcell_engine: engineImports(() => instance.#exports),
    });
    instance.#exports = exports;
    return instance;
  }

  /** Sends a request; `{ json, bytes }` of the reply. */
  request(request, bytes = new Uint8Array()) {
    if (this.#ended) throw this.#ended;
    try {
      const json = new TextEncoder().encode(JSON.stringify(request));
      this.#exports.hotcell_request(this.#put(json), json.length, this.#put(bytes), bytes.length);
    } catch (error) {
      // A trap leaves the module as it was in the middle of something.
      const message = `hotcell itself failed, and its sandbox has ended: ${error}`;
      this.#ended = new HotcellError({ code: "backend", message });
      throw this.#ended;
    }
    const { ok, error } = JSON.parse(new TextDecoder().decode(this.#reply(0)));
    if (error) throw new HotcellError(error);
    return { json: ok, bytes: this.#reply(2).slice() };
  }

  #reply(part) {
    const [pointer, length] = [part, part + 1].map((part) => this.#exports.hotcell_reply(part) >>> 0);
    return this.#view(pointer, length);
  }

  #view(pointer, length) {
    return new Uint8Array(this.#exports.memory.buffer, pointer, length);
  }

  /** A buffer with these bytes, which the module takes. */
  #put(bytes) {
    const pointer = this.#exports.hotcell_alloc(bytes.length) >>> 0;
    this.#view(pointer, bytes.length).set(bytes);
    return pointer;
  }

  /** Gives host functions their numbers. */
  offer(imports) {
    const offered = [];
    for (const [module, functions] of Object.entries(imports)) {
      for (const [name, { params = [], results = [], call }] of Object.entries(functions)) {
        const unknown = [...params, ...results].find((type) => !(type in SIZES));
        if (unknown) throw new TypeError(`${module}.${name}: host functions have no values of type ${unknown}`);
        offered.push({ module, name, params, results, id: this.#functions.push({ params, results, call }) - 1 });
      }
    }
    return offered;
  }

  #host(id, frame) {
    const { params, results, call } = this.#functions[id];
    const field = (offset) => this.#data().getUint32(frame + offset, true);
    const memory = () => this.#view(field(MEMORY), field(MEMORY_LEN));
    const context = new Context(memory);
    try {
      const values = params.map((type, index) => read(this.#data(), field(VALUES) + 8 * index, type));
      const returned = call(context, ...values);
      if (typeof returned?.then === "function") throw new TypeError("a host function must not be asynchronous");
      const given = results.length > 1 ? [...returned] : [returned];
      results.forEach((type, index) => write(this.#data(), field(VALUES) + 8 * index, type, given[index]));
      return 0;
    } catch (error) {
      const message = new TextEncoder().encode(String(error?.message ?? error));
      const pointer = this.#put(message);
      this.#data().setUint32(frame + MESSAGE, pointer, true);
      this.#data().setUint32(frame + MESSAGE_LEN, message.length, true);
      return 1;
    } finally {
      context.end();
      this.#data().setBigUint64(frame + CHARGE, context.charged, true);
    }
  }

  #data() {
    return new DataView(this.#exports.memory.buffer);
  }
}

/** What a host function sees of the guest that called it, until it returns. */
class Context {
  #memory;
  charged = 0n;

  constructor(memory) {
    this.#memory = memory;
  }

  /** The guest's memory. A view of it ends with the next call of hotcell. */
  get memory() {
    if (!this.#memory) throw new Error("the host function has returned");
    return this.#memory();
  }

  /** A copy of bytes of the guest. */
  read(pointer, length) {
    return this.#range(pointer, length).slice();
  }

  write(pointer, bytes) {
    this.#range(pointer, bytes.length).set(bytes);
  }

  /** Takes fuel from the guest, when the host function returns. */
  charge(fuel) {
    const more = BigInt(fuel);
    if (more < 0n) throw new RangeError("fuel is not negative");
    const most = 2n ** 64n - 1n;
    this.charged = this.charged + more > most ? most : this.charged + more;
  }

  end() {
    this.#memory = null;
  }

  /** Pointers of a guest are i32: negative ones are large. */
  #range(pointer, length) {
    const [begin, size] = [pointer >>> 0, length >>> 0];
    const memory = this.memory;
    if (begin + size > memory.length) throw new RangeError("the range is outside of the guest's memory");
    return memory.subarray(begin, begin + size);
  }
}

function read(data, at, type) {
  switch (type) {
    case "i32":
      return data.getInt32(at, true);
    case "i64":
      return data.getBigInt64(at, true);
    case "f32":
      return data.getFloat32(at, true);
    default:
      return data.getFloat64(at, true);
  }
}

function write(data, at, type, value) {
  switch (type) {
    case "i32":
      return data.setInt32(at, number(value), true);
    case "i64":
      if (typeof value !== "bigint") throw new TypeError("an i64 is a BigInt");
      return data.setBigInt64(at, value, true);
    case "f32":
      return data.setFloat32(at, number(value), true);
    default:
      return data.setFloat64(at, number(value), true);
  }
}

function number(value) {
  if (typeof value !== "number") throw new TypeError("the host function must return a number");
  return value;
}
