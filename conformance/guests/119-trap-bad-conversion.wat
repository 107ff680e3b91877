;; Purpose: Converts NaN to an integer.
;; Expect: trap-bad-conversion-to-integer in call
;; Checks: hostile.119-trap-bad-conversion
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (i32.trunc_f64_s (f64.const nan)))
    (i64.const 0)))
