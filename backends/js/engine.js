// The JavaScript half of the backend `js`: keeps modules and instances, and runs them.

/** Codes of `convert.rs`, by what engines say of a trap: V8, SpiderMonkey, JavaScriptCore. */
const TRAPS = [
  [1, /unreachable/i],
  [2, /memory access out of bounds|index out of bounds.*memory|data segment.* out of bounds|out of bounds memory access/i],
  [3, /table (index|access|or element)|out of bounds (table|call_indirect)|element segment.* out of bounds|index out of bounds|table\.(get|set|init|copy|fill)/i],
  [5, /signature mismatch|does not match the expected type/i],
  [4, /null function|indirect call to null|call_indirect to a null/i],
  [6, /divide result unrepresentable|integer overflow/i],
  [7, /(divi(de|sion)|remainder) by zero/i],
  [8, /unrepresentable in integer range|invalid conversion to integer|out of bounds trunc|float to integer/i],
];
const STACK_OVERFLOW = 9;
const OTHER = 10;

/** The code of what a guest ended with. */
export function classify(error) {
  if (error instanceof RangeError || /too much recursion|call stack/i.test(String(error?.message))) return STACK_OVERFLOW;
  if (!(error instanceof WebAssembly.RuntimeError)) return OTHER;
  return TRAPS.find(([, words]) => words.test(error.message))?.[0] ?? OTHER;
}

/** The imports of the module `hotcell_engine`, for the module whose exports `own` gives. */
export function engineImports(own) {
  const kept = new Map();
  let last = 0;
  let message = "";

  const bytes = (pointer, length) => new Uint8Array(own().memory.buffer, pointer, length);
  const keep = (value) => {
    kept.set(++last, value);
    return last;
  };

  return {
    compile_module(pointer, length) {
      try {
        // A copy: the engine may read it later.
        return keep(new WebAssembly.Module(bytes(pointer, length).slice()));
      } catch (error) {
        message = String(error);
        return 0;
      }
    },
    make_instance(guest, hosts, entries, name, nameLength) {
      try {
        return keep(instantiate(kept.get(guest), kept.get(hosts), kept.get(entries), memoryName(name, nameLength)));
      } catch (error) {
        message = String(error);
        return -classify(error);
      }
    },
    validate: (pointer, length) => Number(WebAssembly.validate(bytes(pointer, length).slice())),
    run(instance, operation) {
      try {
        kept.get(instance).operations[operation]();
        return 0;
      } catch (error) {
        message = String(error);
        return classify(error);
      }
    },
    memory_len: (instance) => kept.get(instance).memory?.buffer.byteLength ?? 0,
    read_memory(instance, to, length) {
      bytes(to, length).set(new Uint8Array(kept.get(instance).memory.buffer, 0, length));
    },
    write_memory(instance, from, length) {
      if (length === 0) return;
      new Uint8Array(kept.get(instance).memory.buffer, 0, length).set(bytes(from, length));
    },
    grow_memory(instance, pages) {
      try {
        kept.get(instance).memory.grow(pages >>> 0);
        return 1;
      } catch {
        return 0;
      }
    },
    read_message(to, length) {
      return new TextEncoder().encodeInto(message, bytes(to, length)).written;
    },
    measure_stack: () => (stack ??= measureStack()),
    release: (handle) => void kept.delete(handle),
  };

  /** A null pointer is no name: a name may be empty. */
  function memoryName(pointer, length) {
    return pointer === 0 ? null : new TextDecoder().decode(bytes(pointer, length).slice());
  }

  function instantiate(guest, hosts, entries, memoryName) {
    const { memory, hotcell_engine_host: host } = own();
    const answers = new WebAssembly.Instance(hosts, { h: { memory, host } }).exports;
    const imports = Object.create(null);
    // Admitted modules import nothing but functions.
    WebAssembly.Module.imports(guest).forEach(({ module, name }, number) => {
      imports[module] ??= Object.create(null);
      imports[module][name] ??= answers[number];
    });
    const { exports } = new WebAssembly.Instance(guest, imports);
    const around = new WebAssembly.Instance(entries, { h: { memory }, g: exports }).exports;
    const operations = Array.from({ length: Object.keys(around).length }, (_, number) => around[number]);
    return { operations, memory: memoryName === null ? null : exports[memoryName] };
  }
}

let stack = null;
/** Locals of the function that measures: 8 bytes each in a frame of an engine's first compiler. */
const LOCALS = 128;

/** Bytes of stack, about: how often a function with large frames calls itself before the engine ends it. */
function measureStack() {
  // (global $depth (export "d") (mut i32) (i32.const 0))
  // (func $f (export "f") (local i64 x 128) (global.set $depth (i32.add (global.get $depth) (i32.const 1))) (call $f))
  const code = [1, 0x80, 1, 0x7e, 0x23, 0, 0x41, 1, 0x6a, 0x24, 0, 0x10, 0, 0x0b];
  const module = [
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    [1, 4, 1, 0x60, 0, 0],
    [3, 2, 1, 0],
    [6, 6, 1, 0x7f, 1, 0x41, 0, 0x0b],
    [7, 9, 2, 1, 0x66, 0, 0, 1, 0x64, 3, 0],
    [10, code.length + 2, 1, code.length, ...code],
  ];
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module.flat())));
  try {
    exports.f();
  } catch {
    // That is what it is for.
  }
  return exports.d.value * LOCALS * 8;
}
