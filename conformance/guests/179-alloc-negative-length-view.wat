;; Purpose: Traps if the length it is given is negative as a signed number, so the host must cap its inputs below.
;; Expect: ok
;; Checks: hostile.179-alloc-negative-length-view
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_s (local.get $len) (i32.const 0))
      (then (unreachable)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
