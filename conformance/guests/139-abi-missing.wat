;; Purpose: Says nothing about the ABI it speaks.
;; Expect: abi-missing in abi
;; Checks: hostile.139-abi-missing
(module
  (memory (export "memory") 1 16)
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
