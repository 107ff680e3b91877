;; Purpose: Exports a host function as its `alloc`: the host would call itself, with no guest as the caller.
;; Expect: import-denied in admit
;; Expect: export-mismatch in admit, where the host offers the function
;; Checks: hostile.170-reexported-import-as-alloc
;;         hostile.170-reexported-import-as-alloc.host
(module
  (import "env" "host_reenter" (func $reenter (param i32) (result i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (export "alloc" (func $reenter))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
