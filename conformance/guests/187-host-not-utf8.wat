;; Purpose: Logs bytes that are not UTF-8, with an escape, a line break and a null among them.
;; Expect: ok
;; Checks: hostile.187-host-not-utf8
(module
  (import "env" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (data (i32.const 256) "\ff\fe\1b[2J\0d\0a\00fake")
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call $log (i32.const 256) (i32.const 13))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
