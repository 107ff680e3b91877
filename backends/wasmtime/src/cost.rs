use wasmtime::{OperatorCost, VariableOperatorCost};

/// What each operator costs under `metering = engine`: the one table.
///
/// One unit per operator; nothing for those that generate no code of their own (`nop`, `drop`, `block`, `loop`,
/// `unreachable`, `return`, `else`, `end`). Operators whose work depends on an operand pay a unit per byte
/// or table element. Growth is free beyond its operator and the question before it: the memory budget bounds it, and a growth that is refused, however
/// large, must cost no more than its answer of -1.
pub(crate) fn operator_cost() -> OperatorCost {
    OperatorCost {
        Nop: 0,
        Drop: 0,
        Block: 0,
        Loop: 0,
        Unreachable: 0,
        Return: 0,
        Else: 0,
        End: 0,
        variable: VariableOperatorCost {
            memory_copy_per_byte: 1,
            memory_fill_per_byte: 1,
            memory_init_per_byte: 1,
            memory_grow_per_page: 0,
            table_copy_per_element: 1,
            table_fill_per_element: 1,
            table_init_per_element: 1,
            table_grow_per_element: 0,
            ..VariableOperatorCost::new()
        },
        ..OperatorCost::new()
    }
}
