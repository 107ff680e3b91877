;; Purpose: Grows memory by -1, that is by 2^32 - 1 pages. The answer is -1, not an overflow.
;; Expect: ok
;; Checks: hostile.107-memory-grow-negative
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1))
      (then (unreachable)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
