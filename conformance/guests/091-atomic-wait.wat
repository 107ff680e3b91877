;; Purpose: Waits without a timeout on a shared memory. That blocks the thread where neither fuel nor
;;          deadline is looked at.
;; Expect: proposal-denied in admit
;; Checks: hostile.091-atomic-wait
(module
  (memory (export "memory") 1 16 shared)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
    (i64.const 0)))
