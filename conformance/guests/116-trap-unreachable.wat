;; Purpose: Executes `unreachable`.
;; Expect: trap-unreachable in call
;; Checks: hostile.116-trap-unreachable
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (unreachable)))
