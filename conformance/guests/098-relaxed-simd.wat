;; Purpose: Uses an instruction whose result is the machine's choice, so that two hosts may disagree.
;;          The strict preset already refuses the vectors that it works on.
;; Expect: proposal-denied in admit
;; Expect: proposal-denied in admit, with the default preset
;; Checks: hostile.098-relaxed-simd
;;         hostile.098-relaxed-simd.default
(module
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (drop
      (f32x4.relaxed_madd
        (v128.const i32x4 1 2 3 4)
        (v128.const i32x4 1 2 3 4)
        (v128.const i32x4 1 2 3 4)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
