;; Purpose: Counts its calls in a global. A fresh instance for each call always counts one.
;; Expect: ok
;; Checks: hostile.173-state-across-calls
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (global $calls (mut i64) (i64.const 0))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (i64.store (i32.const 4096) (global.get $calls))
    (i64.const 0x0000100000000008)))
