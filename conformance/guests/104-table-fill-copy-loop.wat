;; Purpose: Grows a table until refused, then fills and copies it for ever.
;; Expect: out-of-fuel in call
;; Expect: deadline-exceeded in call, without a limit on fuel
;; Checks: hostile.104-table-fill-copy-loop
(module
  (table $t 1 funcref)
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (elem declare func $nothing)
  (func $nothing)
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (loop $grow
      (br_if $grow
        (i32.ne (table.grow $t (ref.func $nothing) (i32.const 100)) (i32.const -1))))
    (loop $forever
      (table.fill $t (i32.const 0) (ref.func $nothing) (table.size $t))
      (table.copy $t $t
        (i32.const 1)
        (i32.const 0)
        (i32.sub (table.size $t) (i32.const 1)))
      (br $forever))
    (i64.const 0)))
