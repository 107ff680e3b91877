;; Purpose: Calls a table element that is null.
;; Expect: trap-indirect-call-to-null in call
;; Checks: hostile.122-trap-indirect-null
(module
  (type $nothing (func))
  (table 2 funcref)
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call_indirect (type $nothing) (i32.const 1))
    (i64.const 0)))
