;; Purpose: Writes half a reply and traps. The caller gets none of it.
;; Expect: trap-unreachable in call
;; Checks: hostile.169-partial-output-then-trap
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i32.store (i32.const 4096) (i32.const 0x66616b65))
    (unreachable)))
