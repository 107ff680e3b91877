;; Purpose: Reads a data segment after dropping it.
;; Expect: trap-memory-out-of-bounds in call
;; Checks: hostile.125-trap-dropped-segments
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (data $d "hello")
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (data.drop $d)
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 5))
    (i64.const 0)))
