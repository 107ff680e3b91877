;; Purpose: Looks for what others left behind in fresh locals, table elements and memory. It traps on any find.
;; Expect: ok
;; Checks: hostile.203-secret-in-stack-garbage
(module
  (table $t 16 funcref)
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (local $a i32) (local $b i64) (local $at i32)
    (if (i32.or (i32.ne (local.get $a) (i32.const 0)) (i64.ne (local.get $b) (i64.const 0)))
      (then (unreachable)))
    (if (i32.eqz (ref.is_null (table.get $t (i32.const 7))))
      (then (unreachable)))
    (drop (memory.grow (i32.const 4)))
    (loop $next
      (if (i64.ne (i64.load (i32.add (i32.const 65536) (local.get $at))) (i64.const 0))
        (then (unreachable)))
      (br_if $next
        (i32.lt_u
          (local.tee $at (i32.add (local.get $at) (i32.const 8)))
          (i32.const 262144))))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
