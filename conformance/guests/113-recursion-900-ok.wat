;; Purpose: Recurses 900 deep and comes back. An honest depth: no engine's own limit may cut it.
;; Expect: ok
;; Checks: hostile.113-recursion-900-ok
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func $depth (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (i32.const 0))
      (else
        (i32.add
          (call $depth (i32.sub (local.get $n) (i32.const 1)))
          (i32.const 1)))))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.ne (call $depth (i32.const 900)) (i32.const 900))
      (then (unreachable)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
