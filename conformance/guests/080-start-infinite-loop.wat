;; Purpose: Loops for ever in its start function: instantiation has to have the limits of a call.
;; Expect: start-denied in admit
;; Expect: out-of-fuel in instantiate, where start is allowed
;; Expect: deadline-exceeded in instantiate, where start is allowed and without a limit on fuel
;; Checks: hostile.080-start-infinite-loop
;;         hostile.080-start-infinite-loop.start
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len))))
  (func $start
    (loop $forever
      (br $forever)))
  (start $start))
