;; Purpose: Claims a reply that is one byte longer than the memory.
;; Expect: bad-output in reply
;; Checks: hostile.161-out-one-past-end
(module
  (memory (export "memory") 1 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0000000000010001)))
