;; Purpose: Answers nothing, at an address far outside the memory. That is not legal, though no byte is read.
;; Expect: bad-output in reply
;; Checks: hostile.164-out-zero-len-wild-ptr
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0xffffffff00000000)))
