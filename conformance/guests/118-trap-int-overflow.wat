;; Purpose: Divides the smallest 32-bit integer by -1.
;; Expect: trap-integer-overflow in call
;; Checks: hostile.118-trap-int-overflow
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))
    (i64.const 0)))
