;; Purpose: Hands the host an address outside its memory.
;; Expect: host-function in call
;; Checks: hostile.184-host-bad-pointer
(module
  (import "env" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (call $log (i32.const 0x7fffffff) (i32.const 16))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
