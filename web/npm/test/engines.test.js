// Both engines give the same verdict and the same numbers.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";

import { Policy, Sandbox, assemble } from "../src/index.js";

// Node 20 knows what the presets allow only when it is told to.
setFlagsFromString("--experimental-wasm-extended-const");

/** What this thread has room for on the host's own engine. */
const policy = Policy.strict().with({
  limits: { fuel: 2_000_000, memory_bytes: "2MiB", stack_bytes: "64KiB", deadline: "none" },
  abi: "none",
});
const reply = "(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))";
const guest = (body, more = "", alloc = "i32.const 1024") =>
  assemble(`(module ${more}
    (memory (export "memory") 1)
    (func (export "alloc") (param i32) (result i32) ${alloc})
    (func (export "process") (param i32 i32) (result i64) ${body}))`);

/** All that must be equal. */
async function outcome(engine, bytes, imports = {}, rules = policy) {
  const sandbox = await Sandbox.create(rules, { engine });
  try {
    const { bytes: output, report } = sandbox.load(bytes, { entry: "process", imports }).call("some input");
    return { code: "ok", output: new TextDecoder().decode(output), ...numbers(report) };
  } catch (error) {
    return { code: error.code, phase: error.phase, message: error.message, ...numbers(error.report) };
  }
}

function numbers(report) {
  if (!report) return {};
  const { fuelUsed, peakMemoryBytes, refusedGrowths, hostCalls } = report;
  return { fuelUsed, peakMemoryBytes, refusedGrowths, hostCalls };
}

const twice = {
  env: {
    twice: {
      params: ["i32", "f64"],
      results: ["f64"],
      call(context, pointer, number) {
        context.write(pointer, new Uint8Array([72]));
        context.charge(123);
        return 2 * number;
      },
    },
  },
};
const TWICE = '(import "env" "twice" (func $twice (param i32 f64) (result f64)))';

const CASES = {
  echo: ["ok", reply],
  "endless loop": ["out-of-fuel", "(loop br 0) unreachable"],
  "endless recursion": ["stack-overflow", "call $f i64.const 0", "(func $f call $f)"],
  "recursion with large frames": [
    "stack-overflow",
    "(drop (call $f (i64.const 1) (f64.const 1))) i64.const 0",
    `(func $f (param i64 f64) (result i64) (local ${"i64 ".repeat(200)})
      (local.set 77 (i64.mul (local.get 0) (i64.const 3)))
      (i64.add (call $f (local.get 77) (f64.sqrt (local.get 1))) (local.get 77)))`,
  ],
  "memory bomb": ["out-of-fuel", "(loop (drop (memory.grow (i32.const 3))) br 0) unreachable"],
  "growth within the budget": ["ok", `(drop (memory.grow (i32.const 3))) ${reply}`],
  unreachable: ["trap-unreachable", "unreachable"],
  "division by zero": ["trap-integer-division-by-zero", "(i64.div_u (i64.const 1) (i64.const 0))"],
  "integer overflow": ["trap-integer-overflow", "(i64.div_s (i64.const 0x8000000000000000) (i64.const -1))"],
  conversion: ["trap-bad-conversion-to-integer", "(i64.trunc_f64_s (f64.const nan))"],
  "memory out of bounds": ["trap-memory-out-of-bounds", "(i64.load (i32.const -1))"],
  "table out of bounds": ["trap-table-out-of-bounds", "(call_indirect (result i64) (i32.const 9))", "(table 1 funcref)"],
  "wrong signature": ["trap-bad-signature", "(call_indirect (result i64) (i32.const 0))", "(table funcref (elem $f)) (func $f)"],
  "data segment": ["trap-memory-out-of-bounds", reply, '(data (i32.const 65535) "xx")'],
  "element segment": ["trap-table-out-of-bounds", reply, "(table 1 funcref) (func $f) (elem (i32.const 1) $f)"],
  "lying allocator": ["bad-alloc", reply, "", "i32.const 0x7fffff00"],
  "host function": ["ok", `(drop (call $twice (local.get 0) (f64.const 21))) ${reply}`, TWICE, undefined, twice],
  "what a host function gives": ["ok", `(if (f64.ne (call $twice (local.get 0) (f64.const 21)) (f64.const 42)) (then unreachable)) ${reply}`, TWICE, undefined, twice],
  "bits of a NaN": ["ok", `(if (i64.ne (i64.reinterpret_f64 (call $same (f64.reinterpret_i64 (i64.const 0x7ff4000000000001)))) (i64.const 0x7ff4000000000001)) (then unreachable)) ${reply}`, '(func $same (export "same") (param f64) (result f64) local.get 0)'],
};

for (const [name, [code, body, more, alloc, imports]] of Object.entries(CASES)) {
  test(name, async () => {
    const bytes = await guest(body, more, alloc);
    const found = await outcome("wasmi", bytes, imports);
    assert.equal(found.code, code, found.message);
    assert.deepEqual(await outcome("js", bytes, imports), found);
  });
}

test("plugins of the repository", async () => {
  for (const name of ["wordcount", "kv", "ledger-check", "markdown"]) {
    const bytes = await readFile(new URL(`../../../guests/${name}.wasm`, import.meta.url));
    const rules = Policy.default().with({ limits: { stack_bytes: "128KiB", deadline: "none" } });
    const found = await outcome("wasmi", bytes, {}, rules);
    assert.deepEqual(await outcome("js", bytes, {}, rules), found, name);
  }
});

test("the deadline ends a guest on the host's engine", async () => {
  const rules = policy.with({ limits: { fuel: "unlimited", deadline: "50ms" } });
  assert.equal((await outcome("js", await guest("(loop br 0) unreachable"), {}, rules)).code, "deadline-exceeded");
});

test("a stack that the thread does not have is refused", async () => {
  const rules = policy.with({ limits: { stack_bytes: "1MiB" } });
  await assert.rejects(Sandbox.create(rules, { engine: "js" }), { code: "unsupported", message: /limits\.stack_bytes/ });
});

test("a module without memory", async () => {
  const bytes = await assemble('(module (func (export "f") (result i32) i32.const 7))');
  for (const engine of ["wasmi", "js"]) {
    const plugin = (await Sandbox.create(policy, { engine })).load(bytes);
    assert.deepEqual(plugin.callValues("f").results, [7]);
  }
});
