;; Purpose: Names an imported function, which nobody offers, as its start function.
;; Expect: import-denied in admit
;; Expect: import-denied in admit, where start is allowed
;; Checks: hostile.085-start-imported
;;         hostile.085-start-imported.start
(module
  (import "env" "log0" (func $log0))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len))))
  (start $log0))
