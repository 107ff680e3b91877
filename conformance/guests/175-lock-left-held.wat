;; Purpose: Holds a lock of its own while it burns fuel. Cut off there, it leaves the lock held,
;;          so the instance must not be called again.
;; Expect: ok
;; Expect: out-of-fuel in call, with 1,000 units of fuel
;; Checks: hostile.175-lock-left-held
;;         hostile.175-lock-left-held.fuel
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (global $busy (mut i32) (i32.const 0))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (local $left i32)
    (if (global.get $busy)
      (then (unreachable)))
    (global.set $busy (i32.const 1))
    (local.set $left (i32.const 1000000))
    (loop $burn
      (br_if $burn (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (global.set $busy (i32.const 0))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
