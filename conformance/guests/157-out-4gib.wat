;; Purpose: Claims a reply of 4 GiB at address 0. The host must not make room for it first.
;; Expect: output-too-large in reply
;; Checks: hostile.157-out-4gib
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x00000000ffffffff)))
