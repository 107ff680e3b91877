;; Purpose: Throws an exception that nobody catches.
;; Expect: proposal-denied in admit
;; Checks: hostile.094-exceptions
(module
  (tag $thrown (param i32))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (throw $thrown (i32.const 1))))
