import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { HotcellError, Policy, Sandbox, assemble, lineOf } from "../src/index.js";

const plugin = (body, more = "") =>
  assemble(`(module
    ${more}
    (memory (export "memory") 1)
    (func (export "__hotcell_abi_version") (result i32) i32.const 1)
    (func (export "alloc") (param i32) (result i32) i32.const 1024)
    (func (export "process") (param i32 i32) (result i64) ${body}))`);
const ECHO = `(i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))`;
const text = (bytes) => new TextDecoder().decode(bytes);

async function load(bytes, policy = Policy.strict(), options = {}) {
  return (await Sandbox.create(policy)).load(bytes, { entry: "process", ...options });
}

/** The error with which it ends. */
function fails(run) {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HotcellError, String(error));
    return error;
  }
  assert.fail("it succeeded");
}

test("bytes in, bytes out, and what it used", async () => {
  const reply = (await load(await plugin(ECHO))).call("hello");
  assert.equal(text(reply.bytes), "hello");
  assert.equal(reply.report.backend, "wasmi");
  assert.ok(reply.report.fuelUsed > 0n);
  assert.equal(reply.report.peakMemoryBytes, 65_536);
});

test("an endless loop ends by fuel, at the same number each time", async () => {
  const policy = Policy.strict().with({ limits: { fuel: 100_000 } });
  const endless = await load(await plugin("(loop br 0) unreachable"), policy);
  for (let run = 0; run < 2; run++) {
    const error = fails(() => endless.call());
    assert.deepEqual([error.code, error.phase, error.report.fuelUsed], ["out-of-fuel", "call", 100_000n]);
  }
});

test("an endless loop ends by the deadline", async () => {
  const policy = Policy.strict().with({ limits: { fuel: "unlimited", deadline: "50ms" } });
  const endless = await load(await plugin("(loop br 0) unreachable"), policy);
  assert.equal(fails(() => endless.call()).code, "deadline-exceeded");
});

test("endless recursion ends by the policy's stack, and the next call works", async () => {
  const sandbox = await Sandbox.create(Policy.strict());
  const deep = sandbox.load(await plugin("(call $deep) i64.const 0", "(func $deep call $deep)"), { entry: "process" });
  assert.equal(fails(() => deep.call()).code, "stack-overflow");
  const echo = sandbox.load(await plugin(ECHO), { entry: "process" });
  assert.equal(text(echo.call("again").bytes), "again");
});

test("a growth above the budget is refused, and the guest goes on", async () => {
  const policy = Policy.strict().with({ limits: { memory_bytes: "128KiB" } });
  const greedy = await load(await plugin(`(drop (memory.grow (i32.const 100))) ${ECHO}`), policy);
  const { report } = greedy.call("x");
  assert.deepEqual([report.refusedGrowths, report.peakMemoryBytes], [1, 65_536]);
});

test("a refusal names the code, the byte and everything else", async () => {
  const sandbox = await Sandbox.create(Policy.strict());
  const error = fails(() => sandbox.load(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]), { entry: "process" }));
  assert.deepEqual([error.code, error.phase], ["export-missing", "admit"]);
  assert.equal(fails(() => sandbox.load(new Uint8Array([1, 2, 3]))).code, "malformed");
});

test("host functions see the guest's memory, and charge", async () => {
  const seen = [];
  const imports = {
    env: {
      log: {
        params: ["i32", "i32"],
        results: ["i64"],
        call(context, pointer, length) {
          seen.push(text(context.read(pointer, length)));
          context.write(pointer, new TextEncoder().encode("HELLO"));
          context.charge(1_000);
          assert.throws(() => context.read(-1, 2), RangeError);
          assert.throws(() => context.charge(-1), RangeError);
          return 7n;
        },
      },
    },
  };
  const log = '(import "env" "log" (func $log (param i32 i32) (result i64)))';
  const bytes = await plugin(`(drop (call $log (local.get 0) (local.get 1))) ${ECHO}`, log);
  const { bytes: reply, report } = (await load(bytes, Policy.strict(), { imports })).call("hello");
  assert.deepEqual([seen, text(reply), report.hostCalls], [["hello"], "HELLO", 1]);
  assert.ok(report.fuelUsed > 1_000n);
});

test("what a host function throws ends the call", async () => {
  const log = '(import "env" "f" (func $f (result i32)))';
  const bytes = await plugin("(drop (call $f)) i64.const 0", log);
  for (const [call, words] of [
    [() => { throw new Error("no \u001b[31m"); }, "no"],
    [() => "7", "number"],
    [async () => 7, "asynchronous"],
    [function deep() { return deep() + 1; }, "stack"],
  ]) {
    const imports = { env: { f: { results: ["i32"], call } } };
    const error = fails(() => bytesLoaded(imports).call());
    assert.equal(error.code, "host-function");
    assert.ok(error.message.includes(words), error.message);
    assert.ok(!error.message.includes("\u001b"));
  }
  function bytesLoaded(imports) {
    return sandbox.load(bytes, { entry: "process", imports });
  }
});
const sandbox = await Sandbox.create(Policy.strict());

test("typed calls keep values", async () => {
  const bytes = await assemble(`(module
    (func (export "swap") (param i32 i64 f32) (result f32 i64 i32)
      local.get 2 local.get 1 local.get 0)
    (func (export "same") (param f64) (result f64) local.get 0))`);
  const typed = (await Sandbox.create(Policy.strict().with({ abi: "none" }))).load(bytes);
  const params = [["i32", -1], ["i64", -(2n ** 63n)], ["f32", 0.5]];
  assert.deepEqual(typed.callValues("swap", params).results, [0.5, -(2n ** 63n), -1]);
  for (const number of [NaN, Infinity, -Infinity, -0, 1e-320]) {
    assert.deepEqual(typed.callValues("same", [["f64", number]]).results, [number]);
  }
  assert.equal(fails(() => typed.callValues("swap")).code, "wrong-arguments");
});

test("a policy is refused for what it says", async () => {
  await assert.rejects(Policy.strict().with({ limits: { fule: 1 } }).check(), { code: "policy" });
  await assert.rejects(Sandbox.create(Policy.strict(), { engine: "other" }), { code: "unsupported" });
  const { fingerprint } = await Policy.strict().check();
  assert.equal((await new Policy('preset = "strict"').check()).fingerprint, fingerprint);
});

test("text has lines", async () => {
  await assert.rejects(assemble("(module\n  (func nonsense))"), { code: "text", line: 2 });
  const module = "(module\n  (func\n    nop\n    i32.const 7\n    drop))";
  const bytes = await assemble(module);
  assert.equal(await lineOf(module, bytes.indexOf(0x41)), 4);
  assert.equal(await lineOf(module, 0), null);
});

test("plugins of the repository run", async () => {
  const guest = (name) => readFile(new URL(`../../../guests/${name}.wasm`, import.meta.url));
  const markdown = await load(await guest("markdown"), Policy.default());
  assert.equal(text(markdown.call("# Title").bytes).trim(), "<h1>Title</h1>");
  markdown.dispose();
  assert.equal(fails(() => markdown.call("x")).code, "request");
});
