;; Purpose: Its `alloc` grows the memory and answers an address in the new part. The memory may have moved:
;;          what the host knew of it is out of date.
;; Expect: ok
;; Checks: hostile.154-alloc-grows-memory
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.mul (memory.grow (i32.const 100)) (i32.const 65536)))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
