;; Purpose: Answers with all bits set: the last address and the greatest length.
;; Expect: output-too-large in reply
;; Checks: hostile.158-out-all-ones
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const -1)))
