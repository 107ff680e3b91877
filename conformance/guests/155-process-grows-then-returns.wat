;; Purpose: Grows the memory and answers with a page of the new part.
;; Expect: ok
;; Checks: hostile.155-process-grows-then-returns
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl
        (i64.extend_i32_u (i32.mul (memory.grow (i32.const 200)) (i32.const 65536)))
        (i64.const 32))
      (i64.const 65536))))
