;; Purpose: Loops for ever by tail calls: there is no loop to put a check in, and the stack does not grow.
;; Expect: proposal-denied in admit
;; Checks: hostile.095-tail-call-loop
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func $again (param $x i32) (result i64)
    (return_call $again (local.get $x)))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call $again (i32.const 0))))
