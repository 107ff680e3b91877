;; Purpose: Calls the table element 2^32 - 1 of a table of one.
;; Expect: trap-table-out-of-bounds in call
;; Checks: hostile.124-trap-indirect-oob
(module
  (type $nothing (func))
  (table 1 funcref)
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call_indirect (type $nothing) (i32.const -1))
    (i64.const 0)))
