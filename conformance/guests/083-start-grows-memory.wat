;; Purpose: Grows memory from its start function until refused, then touches every 4 KiB of it.
;;          The host must never hold more than the policy grants.
;; Expect: start-denied in admit
;; Expect: ok, where start is allowed
;; Checks: hostile.083-start-grows-memory
;;         hostile.083-start-grows-memory.start
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len))))
  (func $start (local $address i32)
    (loop $grow
      (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (loop $touch
      (i32.store8 (local.get $address) (i32.const 1))
      (local.set $address (i32.add (local.get $address) (i32.const 4096)))
      (br_if $touch
        (i32.lt_u (local.get $address) (i32.mul (memory.size) (i32.const 65536))))))
  (start $start))
