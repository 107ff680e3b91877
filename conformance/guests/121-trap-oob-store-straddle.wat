;; Purpose: Stores eight bytes of which the last lies past the memory. None of them may be written.
;; Expect: trap-memory-out-of-bounds in call
;; Checks: hostile.121-trap-oob-store-straddle
(module
  (memory (export "memory") 1 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.store (i32.const 65529) (i64.const -1))
    (i64.const 0)))
