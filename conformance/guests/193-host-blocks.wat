;; Purpose: Calls a host function that sleeps for 1.5 seconds, then loops for ever. The time spent asleep counts:
;;          a deadline that passed meanwhile is noticed when the function returns.
;; Expect: out-of-fuel in call
;; Expect: deadline-exceeded in call, without a limit on fuel
;; Checks: hostile.193-host-blocks
(module
  (import "env" "host_sleep" (func $sleep (param i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call $sleep (i32.const 1500))
    (loop $forever
      (br $forever))
    (i64.const 0)))
