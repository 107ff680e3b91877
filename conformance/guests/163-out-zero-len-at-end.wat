;; Purpose: Answers nothing, at the address where the memory ends. That is legal.
;; Expect: ok
;; Checks: hostile.163-out-zero-len-at-end
(module
  (memory (export "memory") 1 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0001000000000000)))
