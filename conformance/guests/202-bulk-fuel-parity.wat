;; Purpose: Fills 1 MiB with one instruction, which engines price differently.
;; Expect: ok
;; Checks: hostile.202-bulk-fuel-parity
(module
  (memory (export "memory") 32 32)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (memory.fill (i32.const 65536) (i32.const 1) (i32.const 1048576))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
