;; Purpose: Answers with the bits of 0 / 0, which machines and engines choose differently.
;;          The verdict is the same, the bytes are too where NaNs are canonical.
;; Expect: ok
;; Checks: hostile.127-nan-bits-observable
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (f64.store (i32.const 2048) (f64.div (f64.const 0) (f64.const 0)))
    (i64.const 0x0000080000000008)))
