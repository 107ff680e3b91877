;; Purpose: Loops for ever.
;; Expect: out-of-fuel in call
;; Expect: deadline-exceeded in call, without a limit on fuel
;; Checks: hostile.100-infinite-loop
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (loop $forever
      (br $forever))
    (i64.const 0)))
