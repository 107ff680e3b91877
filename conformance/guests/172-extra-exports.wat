;; Purpose: Exports a table, a mutable global and a function more than it must. The host ignores them.
;; Expect: ok
;; Checks: hostile.172-extra-exports
(module
  (table (export "table") 1 funcref)
  (global (export "global") (mut i64) (i64.const 0))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func $process (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len))))
  (export "process2" (func $process)))
