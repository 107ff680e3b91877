//! Properties of a body as documented: its straight runs, and the height of its operand stack.

use std::collections::BTreeMap;

use wasmparser::{BlockType, Operator};

use super::{
    cost,
    program::{Program, Unsupported, unsupported},
};

/// The straight runs of a body.
pub(super) struct Runs {
    /// By the operator at which each begins.
    runs: BTreeMap<usize, Run>,
    /// The cost of each operator where it is executed.
    costs: Vec<i64>,
}

#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) cost: i64,
    /// Whether fuel is checked where it begins: at the head of a loop, and where a long run is split.
    pub(super) is_checked: bool,
}

struct Open {
    is_loop: bool,
    /// An `if` without an `else` so far.
    is_bare_if: bool,
    is_reachable: bool,
    /// Whether there is a branch to its end.
    is_joined: bool,
}

impl Runs {
    /// Runs begin at the entry, at loop heads, at the arms of an `if`, after a branch, after a call, and at joins.
    /// Unreachable code costs nothing.
    pub(super) fn of(operators: &[Operator<'_>], locals: usize) -> Self {
        let mut runs = BTreeMap::from([(0, Run { cost: 0, is_checked: false })]);
        let block = Open { is_loop: false, is_bare_if: false, is_reachable: true, is_joined: false };
        let mut open = vec![block];
        let (mut current, mut length, mut is_reachable) = (0, 0, true);
        let mut costs = Vec::new();
        for (at, operator) in operators.iter().enumerate() {
            let cost = cost::operator(operator, locals).cast_signed();
            costs.push(cost);
            if is_reachable && let Some(run) = runs.get_mut(&current) {
                run.cost += cost;
                length += cost;
            }
            let was_reachable = is_reachable;
            let mut begins = false;
            let mut branch = |depth: u32| {
                let index = open.len() - 1 - depth as usize;
                open[index].is_joined |= was_reachable && !open[index].is_loop;
            };
            match operator {
                Operator::Br { relative_depth } => {
                    branch(*relative_depth);
                    is_reachable = false;
                }
                Operator::BrIf { relative_depth } => {
                    branch(*relative_depth);
                    begins = true;
                }
                Operator::BrTable { targets } => {
                    targets.targets().flatten().chain([targets.default()]).for_each(branch);
                    is_reachable = false;
                }
                Operator::Return | Operator::Unreachable => is_reachable = false,
                Operator::Call { .. } | Operator::CallIndirect { .. } => begins = true,
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    let is_loop = matches!(operator, Operator::Loop { .. });
                    let is_bare_if = matches!(operator, Operator::If { .. });
                    open.push(Open { is_loop, is_bare_if, is_reachable, is_joined: false });
                    begins = is_loop || is_bare_if;
                }
                Operator::Else => {
                    if let Some(block) = open.last_mut() {
                        block.is_bare_if = false;
                        block.is_joined |= is_reachable;
                        is_reachable = block.is_reachable;
                        begins = true;
                    }
                }
                Operator::End => {
                    if let Some(block) = open.pop() {
                        begins = block.is_joined || (block.is_bare_if && block.is_reachable);
                        if begins && is_reachable && !open.is_empty() {
                            let edge = cost::edge(locals).cast_signed();
                            costs[at] += edge;
                            if let Some(run) = runs.get_mut(&current) {
                                run.cost += edge;
                            }
                        }
                        is_reachable |= begins;
                    }
                }
                _ => {}
            }
            let is_long = length >= cost::LONG_RUN && !begins;
            if (begins || is_long) && is_reachable && !open.is_empty() {
                (current, length) = (at + 1, 0);
                let is_checked = is_long || matches!(operator, Operator::Loop { .. });
                runs.insert(current, Run { cost: 0, is_checked });
            }
        }
        Self { runs, costs }
    }

    /// The run that begins at `operator`.
    pub(super) fn at(&self, operator: usize) -> Option<Run> {
        self.runs.get(&operator).copied()
    }

    /// The cost of an operator where it is executed.
    pub(super) fn cost(&self, operator: usize) -> u64 {
        self.costs[operator].cast_unsigned()
    }
}

/// The maximum height of the operand stack, as validation counts it: in unreachable code no operand is missing.
pub(super) fn height(program: &Program<'_>, function: u32, operators: &[Operator<'_>]) -> Result<u64, Unsupported> {
    let results = program.function_type(function).results().len();
    let mut open = vec![Level { base: 0, is_unreachable: false, params: 0, results, label: results }];
    let (mut height, mut highest) = (0, 0);
    for operator in operators {
        let level = open.last().copied().unwrap_or_default();
        let pop = |height: usize, count: usize| match level.is_unreachable {
            true => height.saturating_sub(count).max(level.base),
            false => height - count,
        };
        let label = |depth: u32| open[open.len() - 1 - depth as usize].label;
        let mut stops = false;
        match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                let (params, results) = arity(program, *blockty);
                if matches!(operator, Operator::If { .. }) {
                    height = pop(height, 1);
                }
                let base = pop(height, params);
                let label = if matches!(operator, Operator::Loop { .. }) { params } else { results };
                height = base + params;
                open.push(Level { base, is_unreachable: false, params, results, label });
            }
            Operator::Else => {
                height = level.base + level.params;
                if let Some(level) = open.last_mut() {
                    level.is_unreachable = false;
                }
            }
            Operator::End => {
                open.pop();
                height = level.base + level.results;
            }
            Operator::BrIf { relative_depth } => {
                let taken = label(*relative_depth);
                height = pop(pop(height, 1), taken) + taken;
            }
            Operator::Br { .. } | Operator::BrTable { .. } | Operator::Return | Operator::Unreachable => stops = true,
            Operator::Call { function_index } => {
                let ty = program.function_type(*function_index);
                height = pop(height, ty.params().len()) + ty.results().len();
            }
            Operator::CallIndirect { type_index, .. } => {
                let ty = &program.types[*type_index as usize];
                height = pop(height, ty.params().len() + 1) + ty.results().len();
            }
            _ => {
                let (takes, gives) = plain(operator)?;
                height = pop(height, takes) + gives;
            }
        }
        if stops {
            height = level.base;
            if let Some(level) = open.last_mut() {
                level.is_unreachable = true;
            }
        }
        highest = highest.max(height);
    }
    Ok(highest as u64)
}

#[derive(Clone, Copy, Default)]
struct Level {
    base: usize,
    is_unreachable: bool,
    params: usize,
    results: usize,
    /// Number of values that a branch to it carries.
    label: usize,
}

/// Numbers of parameters and results of a block.
pub(super) fn arity(program: &Program<'_>, ty: BlockType) -> (usize, usize) {
    match ty {
        BlockType::Empty => (0, 0),
        BlockType::Type(_) => (0, 1),
        BlockType::FuncType(index) => {
            let ty = &program.types[index as usize];
            (ty.params().len(), ty.results().len())
        }
    }
}

/// Numbers of operands and results of an operator.
fn plain(operator: &Operator<'_>) -> Result<(usize, usize), Unsupported> {
    use Operator as O;
    Ok(match operator {
        O::Nop => (0, 0),
        O::I32Const { .. } | O::I64Const { .. } | O::LocalGet { .. } | O::GlobalGet { .. } | O::MemorySize { .. } => {
            (0, 1)
        }
        O::Drop | O::LocalSet { .. } | O::GlobalSet { .. } => (1, 0),
        O::LocalTee { .. } | O::MemoryGrow { .. } => (1, 1),
        O::Select => (3, 1),
        O::MemoryFill { .. } | O::MemoryCopy { .. } => (3, 0),
        O::I32Load { .. }
        | O::I32Load8S { .. }
        | O::I32Load8U { .. }
        | O::I32Load16S { .. }
        | O::I32Load16U { .. }
        | O::I64Load { .. }
        | O::I64Load8S { .. }
        | O::I64Load8U { .. }
        | O::I64Load16S { .. }
        | O::I64Load16U { .. }
        | O::I64Load32S { .. }
        | O::I64Load32U { .. } => (1, 1),
        O::I32Store { .. }
        | O::I32Store8 { .. }
        | O::I32Store16 { .. }
        | O::I64Store { .. }
        | O::I64Store8 { .. }
        | O::I64Store16 { .. }
        | O::I64Store32 { .. } => (2, 0),
        O::I32Clz
        | O::I32Ctz
        | O::I32Popcnt
        | O::I32Eqz
        | O::I32Extend8S
        | O::I32Extend16S
        | O::I64Clz
        | O::I64Ctz
        | O::I64Popcnt
        | O::I64Eqz
        | O::I64Extend8S
        | O::I64Extend16S
        | O::I64Extend32S
        | O::I32WrapI64
        | O::I64ExtendI32S
        | O::I64ExtendI32U => (1, 1),
        O::I32Add | O::I32Sub | O::I32Mul | O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => (2, 1),
        O::I32And | O::I32Or | O::I32Xor | O::I32Shl | O::I32ShrS | O::I32ShrU | O::I32Rotl | O::I32Rotr => (2, 1),
        O::I64Add | O::I64Sub | O::I64Mul | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => (2, 1),
        O::I64And | O::I64Or | O::I64Xor | O::I64Shl | O::I64ShrS | O::I64ShrU | O::I64Rotl | O::I64Rotr => (2, 1),
        O::I32Eq | O::I32Ne | O::I32LtS | O::I32LtU | O::I32GtS | O::I32GtU => (2, 1),
        O::I32LeS | O::I32LeU | O::I32GeS | O::I32GeU => (2, 1),
        O::I64Eq | O::I64Ne | O::I64LtS | O::I64LtU | O::I64GtS | O::I64GtU => (2, 1),
        O::I64LeS | O::I64LeU | O::I64GeS | O::I64GeU => (2, 1),
        other => return unsupported(other),
    })
}
