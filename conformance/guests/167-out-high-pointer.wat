;; Purpose: Answers an address with its top bit set: for hosts that unpack it as a signed number.
;; Expect: bad-output in reply
;; Checks: hostile.167-out-high-pointer
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0xc000000000000010)))
