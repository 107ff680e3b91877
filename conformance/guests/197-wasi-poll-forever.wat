;; Purpose: Asks WASI to sleep until a clock shows 2^63 - 1 nanoseconds.
;; Expect: import-denied in admit
;; Checks: hostile.197-wasi-poll-forever
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  ;; One subscription: the monotonic clock, in 2^63 - 1 ns, from now.
  (data (i32.const 256)
    "\01\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00"
    "\01\00\00\00\00\00\00\00"
    "\ff\ff\ff\ff\ff\ff\ff\7f"
    "\00\00\00\00\00\00\00\00"
    "\00\00\00\00\00\00\00\00")
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 1024)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
