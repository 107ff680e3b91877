;; Purpose: Copies all of a large memory onto itself, one byte on, for ever: much work for one instruction.
;; Expect: out-of-fuel in call
;; Expect: deadline-exceeded in call, without a limit on fuel
;; Checks: hostile.103-copy-overlap-loop
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (loop $grow
      (br_if $grow (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    (loop $forever
      (memory.copy
        (i32.const 1)
        (i32.const 0)
        (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))
      (br $forever))
    (i64.const 0)))
