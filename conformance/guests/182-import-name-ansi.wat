;; Purpose: Imports by names with terminal escapes, line breaks, a null and a change of writing direction:
;;          for error texts that print them as they are.
;; Expect: import-denied in admit
;; Checks: hostile.182-import-name-ansi
(module
  (import "\1b[2J\1b]0;owned\07" "x\0a[INFO] plugin verified\00\e2\80\ae" (func))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
