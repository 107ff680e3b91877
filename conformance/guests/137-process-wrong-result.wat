;; Purpose: Its `process` gives 32 bits, too few for an address and a length.
;; Expect: export-mismatch in admit
;; Checks: hostile.137-process-wrong-result
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i32)
    (i32.const 0)))
