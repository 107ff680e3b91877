import markdown from "../../../guests/markdown.wasm?url";
import wordcount from "../../../guests/wordcount.wasm?url";

/** The stack is what a browser's own engine has room for. */
const STRICT = `preset = "strict"

[limits]
fuel = 2_000_000
memory_bytes = "1MiB"
stack_bytes = "64KiB"
deadline = "5s"
`;

const plugin = (body, head = "", alloc = "i32.const 1024") => `(module
${head}  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    i32.const 1)
  (func (export "alloc") (param $size i32) (result i32)
    ${alloc})
  (func (export "process") (param $at i32) (param $size i32) (result i64)
${body}))
`;

const echo = `    ;; The reply: its address in the upper half, its length in the lower.
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
      (i64.extend_i32_u (local.get $size)))`;

const text = (name, text, input = "hello") => ({ name, text, policy: STRICT, entry: "process", input });
const file = (name, url, input, policy) => ({ name, url, policy, entry: "process", input });

export const EXAMPLES = [
  text("Echo", plugin(echo)),
  text("Endless loop", plugin("    (loop $forever\n      br $forever)\n    unreachable")),
  text("Endless recursion", plugin("    call $deeper\n    i64.const 0", "  (func $deeper\n    call $deeper)\n")),
  text("Memory bomb", plugin(`    (loop $more
      ;; The budget refuses with -1; the guest asks for ever.
      (drop (memory.grow (i32.const 8)))
      br $more)
    unreachable`)),
  text("Lying allocator", plugin(echo, "", "i32.const 0x7fffff00")),
  text("Denied import", plugin("    call $exit\n    i64.const 0", '  (import "env" "exit" (func $exit))\n')),
  text("Denied proposal", plugin("    (drop (i32x4.splat (i32.const 1)))\n    i64.const 0")),
  file("Markdown", markdown, "# hotcell\n\nA *plugin* that makes HTML.\n", STRICT.replace('"strict"', '"default"').replace("1MiB", "16MiB")),
  file("Word count", wordcount, "the quick brown fox jumps over the lazy dog", STRICT.replace('"strict"', '"default"').replace("1MiB", "16MiB")),
];
