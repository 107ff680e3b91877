;; Purpose: Traps after a few cheap instructions. With exactly the fuel for them the trap is still a trap:
;;          no fuel left does not mean out of fuel.
;; Expect: trap-unreachable in call
;; Checks: hostile.128-trap-with-zero-fuel-left
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (nop)
    (nop)
    (unreachable)))
