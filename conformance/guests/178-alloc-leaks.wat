;; Purpose: Takes 4 KiB for each `alloc` and never frees. A first call is fine; called again and again,
;;          one instance runs out of its own memory, not of the host's.
;; Expect: ok
;; Checks: hostile.178-alloc-leaks
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (global $next (mut i32) (i32.const 1024))
  (func (export "alloc") (param $len i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (i32.const 4096))))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
