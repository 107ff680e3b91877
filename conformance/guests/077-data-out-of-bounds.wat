;; Purpose: The second of two data segments ends past the memory. By then the first one is written,
;;          so nothing may use the instance.
;; Expect: trap-memory-out-of-bounds in instantiate
;; Checks: hostile.077-data-out-of-bounds
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
  (data (i32.const 0) "first")
  (data (i32.const 65535) "xy"))
