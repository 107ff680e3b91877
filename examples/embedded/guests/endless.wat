;; A guest that answers the version question and then never comes back.
(module
  (memory (export "memory") 1)
  (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "process") (param i32 i32) (result i64)
    (loop $again (br $again))
    (unreachable)))
