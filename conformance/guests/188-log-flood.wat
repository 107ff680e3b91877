;; Purpose: Logs lines of 64 KiB for ever.
;; Expect: host-function in call
;; Checks: hostile.188-log-flood
(module
  (import "env" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (loop $forever
      (call $log (i32.const 0) (i32.const 65536))
      (br $forever))
    (i64.const 0)))
