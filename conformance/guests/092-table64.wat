;; Purpose: Has a table with 64-bit indices and 2^64 - 1 elements.
;; Expect: proposal-denied in admit
;; Checks: hostile.092-table64
(module
  (table i64 0xffffffffffffffff funcref)
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
