;; Purpose: Wants an argument before it gives its ABI version.
;; Expect: abi-missing in abi
;; Checks: hostile.146-abi-takes-param
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (param i32) (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
