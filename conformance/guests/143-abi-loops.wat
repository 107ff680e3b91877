;; Purpose: Never answers which ABI it speaks. The check has a small budget of its own; where less fuel is left
;;          than that, it is the fuel that ran out.
;; Expect: abi-missing in abi
;; Expect: out-of-fuel in abi, with 50,000 units of fuel
;; Checks: hostile.143-abi-loops
;;         hostile.143-abi-loops.fuel
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (loop $forever
      (br $forever))
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
