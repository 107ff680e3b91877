;; Purpose: Has a real reply of 32 MiB, where the strict preset takes 8.
;; Expect: output-too-large in reply
;; Checks: hostile.166-out-bigger-than-policy
(module
  (memory (export "memory") 600)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0000000002000000)))
