;; Purpose: Spends its fuel on divisions, square roots and scattered loads, which take far more time than they cost.
;; Expect: out-of-fuel in call
;; Expect: deadline-exceeded in call, without a limit on fuel
;; Checks: hostile.109-expensive-op-mispricing
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (local $x i64) (local $at i32)
    (drop (memory.grow (i32.const 1000)))
    (loop $forever
      ;; The next address of a random walk over 1000 pages.
      (local.set $at
        (i32.and
          (i32.add (i32.mul (local.get $at) (i32.const 1103515245)) (i32.const 12345))
          (i32.const 0x3e7fff8)))
      (local.set $x
        (i64.div_u
          (i64.or (i64.load (local.get $at)) (i64.const 0x7fffffffffffffff))
          (i64.or (local.get $x) (i64.const 3))))
      (local.set $x
        (i64.add
          (local.get $x)
          (i64.reinterpret_f64 (f64.sqrt (f64.convert_i64_u (local.get $x))))))
      (br $forever))
    (i64.const 0)))
