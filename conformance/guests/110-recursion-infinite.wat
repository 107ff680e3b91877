;; Purpose: A function calls itself without end.
;; Expect: stack-overflow in call
;; Checks: hostile.110-recursion-infinite
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func $deeper (param $x i32) (result i32)
    (i32.add (call $deeper (local.get $x)) (i32.const 1)))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $deeper (i32.const 0)))
    (i64.const 0)))
