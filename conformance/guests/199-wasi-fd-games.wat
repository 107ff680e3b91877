;; Purpose: Renames and closes file descriptors that are not its own, then opens a file above its directory.
;; Expect: import-denied in admit
;; Checks: hostile.199-wasi-fd-games
(module
  (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1 16)
  (func (export "__hotcell_abi_version") (result i32)
    (i32.const 1))
  (func (export "alloc") (param $len i32) (result i32)
    (i32.const 1024))
  (data (i32.const 256) "../../etc/passwd")
  (func (export "process") (param $ptr i32) (param $len i32) (result i64)
    (local $fd i32)
    (drop (call $renumber (i32.const 1) (i32.const 0)))
    (drop (call $renumber (i32.const 0) (i32.const 0x7fffffff)))
    (loop $next
      (drop (call $close (local.get $fd)))
      (br_if $next
        (i32.lt_u
          (local.tee $fd (i32.add (local.get $fd) (i32.const 1)))
          (i32.const 10))))
    (if
      (i32.eqz
        (call $open
          (i32.const 3) (i32.const 0)
          (i32.const 256) (i32.const 16)
          (i32.const 0)
          (i64.const -1) (i64.const -1)
          (i32.const 0)
          (i32.const 512)))
      (then (unreachable)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
