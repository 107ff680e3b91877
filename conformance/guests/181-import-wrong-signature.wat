;; Purpose: Imports a host function that exists, with another type.
;; Expect: import-mismatch in admit
;; Checks: hostile.181-import-wrong-signature
(module
  (import "env" "log" (func (param i64 i64)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
