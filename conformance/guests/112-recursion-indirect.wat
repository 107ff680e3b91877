;; Purpose: A function calls itself without end through a table.
;; Expect: stack-overflow in call
;; Checks: hostile.112-recursion-indirect
(module
  (type $step (func (param i32) (result i32)))
  (table 1 funcref)
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func $deeper (type $step)
    (i32.add
      (call_indirect (type $step) (local.get 0) (i32.const 0))
      (i32.const 1)))
  (elem (i32.const 0) $deeper)
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $deeper (i32.const 0)))
    (i64.const 0)))
