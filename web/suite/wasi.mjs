// As much of WASI preview 1 as the suite's program needs, in Node and in browsers.

const [SUCCESS, BADF, NOSYS] = [0, 8, 52];

class Exit {
  constructor(code) {
    this.code = code;
  }
}

/**
 * Runs a program, and returns what it wrote to its standard output. Throws when it does not exit with 0. `more` gives other
 * imports, and gets a function that gives the program's exports.
 */
export function runProgram(module, args, more) {
  const written = { 1: [], 2: [] };
  const others = more(() => program.exports);
  const program = new WebAssembly.Instance(module, { ...imports(module, args, written, () => program), ...others });
  try {
    program.exports._start();
  } catch (error) {
    if (!(error instanceof Exit && error.code === 0)) {
      const reason = error instanceof Exit ? `exit code ${error.code}` : String(error);
      throw new Error(`${reason}: ${text(written[2]).trim().split("\n").slice(0, 3).join(" ")}`);
    }
  }
  return text(written[1]);
}

function imports(module, args, written, program) {
  const view = () => new DataView(program().exports.memory.buffer);
  const bytes = (pointer, length) => new Uint8Array(program().exports.memory.buffer, pointer, length);
  const strings = args.map((arg) => new TextEncoder().encode(`${arg}\0`));
  const offered = {
    args_sizes_get(count, size) {
      view().setUint32(count, strings.length, true);
      view().setUint32(size, strings.reduce((sum, string) => sum + string.length, 0), true);
      return SUCCESS;
    },
    args_get(pointers, buffer) {
      strings.forEach((string, index) => {
        view().setUint32(pointers + 4 * index, buffer, true);
        bytes(buffer, string.length).set(string);
        buffer += string.length;
      });
      return SUCCESS;
    },
    environ_sizes_get(count, size) {
      view().setUint32(count, 0, true);
      view().setUint32(size, 0, true);
      return SUCCESS;
    },
    environ_get: () => SUCCESS,
    clock_time_get(clock, _precision, out) {
      const milliseconds = clock === 0 ? Date.now() : performance.now();
      view().setBigUint64(out, BigInt(Math.round(milliseconds * 1e6)), true);
      return SUCCESS;
    },
    random_get(pointer, length) {
      bytes(pointer, length).fill(7);
      return SUCCESS;
    },
    fd_write(fd, vectors, count, out) {
      if (!(fd in written)) return BADF;
      let length = 0;
      for (let index = 0; index < count; index++) {
        const [pointer, size] = [0, 4].map((offset) => view().getUint32(vectors + 8 * index + offset, true));
        written[fd].push(bytes(pointer, size).slice());
        length += size;
      }
      view().setUint32(out, length, true);
      return SUCCESS;
    },
    // A program that sleeps looks at the clock until the time has passed.
    poll_oneoff(subscriptions, _events, _count, out) {
      const end = performance.now() + Number(view().getBigUint64(subscriptions + 24, true)) / 1e6;
      while (performance.now() < end);
      view().setUint32(out, 0, true);
      return SUCCESS;
    },
    sched_yield: () => SUCCESS,
    proc_exit(code) {
      throw new Exit(code);
    },
  };
  const wanted = WebAssembly.Module.imports(module).filter(({ module }) => module === "wasi_snapshot_preview1");
  const missing = (name) => offered[name] ?? (() => NOSYS);
  return { wasi_snapshot_preview1: Object.fromEntries(wanted.map(({ name }) => [name, missing(name)])) };
}

function text(chunks) {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
}
