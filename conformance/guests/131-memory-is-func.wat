;; Purpose: Exports a function under the name of the memory.
;; Expect: export-mismatch in admit
;; Checks: hostile.131-memory-is-func
(module
  (memory 1)
  (func (export "memory") (result i32)
    (i32.const 0))
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
