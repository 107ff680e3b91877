;; Purpose: Two functions call each other without end. The host must survive, whatever its own stack.
;; Expect: stack-overflow in call
;; Checks: hostile.101-mutual-recursion
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func $ping (param $x i64) (result i64)
    (call $pong (local.get $x)))
  (func $pong (param $x i64) (result i64)
    (call $ping (local.get $x)))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call $ping (i64.const 0))))
