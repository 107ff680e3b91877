;; Purpose: Calls through a typed function reference.
;; Expect: proposal-denied in admit
;; Checks: hostile.097-function-references
(module
  (type $answer (func (result i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (elem declare func $one)
  (func $one (type $answer)
    (i32.const 1))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop (call_ref $answer (ref.func $one)))
    (i64.const 0)))
