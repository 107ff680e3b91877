;; Purpose: Asks for 2^40 pages of 64-bit memory: the size in bytes needs care to compute.
;; Expect: proposal-denied in admit
;; Checks: hostile.089-memory64-huge
(module
  (memory (export "memory") i64 0x10000000000)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
