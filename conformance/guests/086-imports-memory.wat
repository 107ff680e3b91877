;; Purpose: Wants its memory from the host, where it could be shared with others.
;; Expect: import-denied in admit
;; Checks: hostile.086-imports-memory
(module
  (import "env" "memory" (memory 1 16))
  (export "memory" (memory 0))
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
