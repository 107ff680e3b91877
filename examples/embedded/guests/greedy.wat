;; A guest that asks for memory until it is refused, and replies with one byte: how many pages it has then.
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "process") (param i32 i32) (result i64)
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (i32.store8 (i32.const 0) (memory.size))
    (i64.const 1)))
