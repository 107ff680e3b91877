;; Purpose: Asks for 4 GiB of memory at once: all that 32 bits can address.
;; Expect: limit-exceeded in admit
;; Checks: hostile.070-memory-min-4gib
(module
  (memory (export "memory") 65536)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
