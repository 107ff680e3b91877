//! The interpreter.

mod arithmetic;

use hotcell_core::{Policy, Value};
use wasmparser::{MemArg, Operator, ValType};

use super::{
    Counted, cost,
    program::{Body, Extent, Program},
    runs::arity,
};
use crate::{
    host::{Host, Notes, STEP_CHARGE, step},
    runner::Memory,
};

/// log2 of the default page size.
const PAGE_LOG2: u32 = 16;

/// Why a call ends early.
enum Stop {
    Trap(&'static str),
    OutOfFuel,
    StackOverflow,
    HostCallLimit,
}

const UNREACHABLE: Stop = Stop::Trap("trap-unreachable");
const MEMORY: Stop = Stop::Trap("trap-memory-out-of-bounds");
const TABLE: Stop = Stop::Trap("trap-table-out-of-bounds");
const NULL: Stop = Stop::Trap("trap-indirect-call-to-null");
const SIGNATURE: Stop = Stop::Trap("trap-bad-signature");
const OVERFLOW: Stop = Stop::Trap("trap-integer-overflow");
const ZERO: Stop = Stop::Trap("trap-integer-division-by-zero");

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By `call`.
    Name,
    /// By the host or by an indirect call.
    Other,
}

/// An instance.
pub(super) struct Machine<'p> {
    program: &'p Program<'p>,
    memory: Vec<u8>,
    /// Bytes of a page, and the maximum number of pages.
    page: u64,
    most_pages: u64,
    /// Whether the memory has 64-bit indices.
    is_memory64: bool,
    globals: Vec<u64>,
    host: Host,
    most_host_calls: u64,
    given: i64,
    /// The counters as they were stored last.
    fuel: i64,
    stack: i64,
    /// Cost of the executed operators.
    executed: u64,
}

/// A frame, with its copies of the counters.
struct Frame<'p> {
    body: &'p Body<'p>,
    locals: Vec<u64>,
    operands: Vec<u64>,
    labels: Vec<Label>,
    fuel: i64,
    stack: i64,
}

/// An open block.
#[derive(Clone, Copy)]
struct Label {
    /// Operands below it.
    height: usize,
    /// Number of values that a branch to it carries, and its target.
    arity: usize,
    to: usize,
    is_loop: bool,
}

impl<'p> Machine<'p> {
    pub(super) fn instantiate(program: &'p Program<'p>, policy: &Policy, fuel: u64) -> Option<Self> {
        let page = 1 << program.memory.and_then(|memory| memory.page_size_log2).unwrap_or(PAGE_LOG2);
        let (pages, maximum) = program.memory.map_or((0, Some(0)), |memory| (memory.initial, memory.maximum));
        let mut memory = vec![0; (pages * page) as usize];
        for (offset, data) in &program.data {
            let place = memory.get_mut(*offset as usize..)?.get_mut(..data.len())?;
            place.copy_from_slice(data);
        }
        let budget = policy.rules().limits.memory_bytes - 8 * program.table.len() as u64;
        let given = i64::try_from(fuel).unwrap_or(i64::MAX);
        Some(Self {
            program,
            memory,
            page,
            // Every budget is below the maximum size of a memory.
            most_pages: maximum.unwrap_or(u64::MAX).min(budget / page),
            is_memory64: program.memory.is_some_and(|memory| memory.memory64),
            globals: program.globals.iter().map(|global| global.1).collect(),
            host: Host::default(),
            most_host_calls: policy.rules().limits.host_calls.unwrap_or(u64::MAX),
            given,
            fuel: given,
            stack: policy.stack_cells(),
            executed: 0,
        })
    }

    pub(super) fn call(mut self, export: &str, params: &[Value]) -> Counted {
        let function = self.program.exports[export];
        let params: Vec<u64> = params.iter().map(|value| bits(*value)).collect();
        let outcome = self.function(function, params, Way::Other);
        let (code, values) = match outcome {
            Ok(values) => {
                let types = self.program.function_type(function).results();
                ("ok", types.iter().zip(values).map(|(ty, bits)| value(*ty, bits)).collect())
            }
            Err(Stop::Trap(code)) => (code, Vec::new()),
            Err(Stop::OutOfFuel) => ("out-of-fuel", Vec::new()),
            Err(Stop::StackOverflow) => ("stack-overflow", Vec::new()),
            Err(Stop::HostCallLimit) => ("host-call-limit", Vec::new()),
        };
        let global = |index: &u32| Some(value(self.program.globals[*index as usize].0, self.globals[*index as usize]));
        Counted {
            code,
            values,
            fuel_used: (self.given - self.fuel.max(0)).cast_unsigned(),
            executed: self.executed,
            globals: self.program.exported_globals.iter().map(global).collect(),
            host: self.host,
            memory: Memory(self.memory),
        }
    }

    /// Calls a function with the stored counters.
    fn function(&mut self, function: u32, params: Vec<u64>, way: Way) -> Result<Vec<u64>, Stop> {
        let imported = self.program.imports.len();
        if (function as usize) < imported {
            return self.import(self.program.imports[function as usize], &params);
        }
        let body = &self.program.bodies[function as usize - imported];
        let stack = self.stack - body.cells;
        if stack < 0 {
            // A frame that does not fit is not paid for.
            return Err(if self.fuel < 0 { Stop::OutOfFuel } else { Stop::StackOverflow });
        }
        let entry = cost::entry(body.cells, body.constants);
        self.executed += entry.cast_unsigned();
        let first = body.runs.at(0).map_or(0, |run| run.cost);
        let fuel = self.fuel - first - entry;
        if fuel < 0 {
            self.fuel = fuel;
            return Err(Stop::OutOfFuel);
        }
        let results = self.program.function_type(function).results().len();
        let outermost = Label { height: 0, arity: results, to: body.operators.len(), is_loop: false };
        let mut locals = params;
        locals.resize(body.locals, 0);
        let mut frame = Frame { body, locals, operands: Vec::new(), labels: vec![outermost], fuel, stack };
        let mut at = 0;
        while let Some(operator) = body.operators.get(at) {
            self.executed += body.runs.cost(at);
            at = self.operator(&mut frame, operator, at)?;
            if let Some(run) = body.runs.at(at) {
                frame.fuel -= run.cost;
                if run.is_checked {
                    self.check(&frame)?;
                }
            }
        }
        if body.is_exported && way == Way::Other {
            self.check(&frame)?;
            self.stack = frame.stack + body.cells;
        }
        self.fuel = frame.fuel;
        Ok(frame.operands.split_off(frame.operands.len() - results))
    }

    fn check(&mut self, frame: &Frame<'_>) -> Result<(), Stop> {
        if frame.fuel < 0 {
            self.fuel = frame.fuel;
            return Err(Stop::OutOfFuel);
        }
        Ok(())
    }

    /// Calls a host function.
    fn import(&mut self, name: &str, params: &[u64]) -> Result<Vec<u64>, Stop> {
        if self.host.calls >= self.most_host_calls {
            return Err(Stop::HostCallLimit);
        }
        let left = Some(self.fuel.cast_unsigned());
        let (charge, results) = match (name, params) {
            ("nop", []) => {
                self.host.note(&[1], left);
                (0, vec![])
            }
            ("charge", [fuel]) => {
                self.host.note(&[2, *fuel], left);
                (*fuel, vec![])
            }
            ("step", [value]) => {
                self.host.note(&[3, *value], left);
                (STEP_CHARGE, vec![step(*value as u32 as i32).cast_unsigned().into()])
            }
            ("pair", [a, b]) => {
                self.host.note(&[4, *a, *b], left);
                (0, vec![*b, *a])
            }
            _ => unreachable!("the generator imports {name}, which the reference does not know"),
        };
        let charge = charge.cast_signed();
        if self.fuel < charge {
            self.fuel = 0;
            return Err(Stop::OutOfFuel);
        }
        self.executed += charge.cast_unsigned();
        self.fuel -= charge;
        Ok(results)
    }

    /// Executes one operator; returns the index of the next.
    fn operator(&mut self, frame: &mut Frame<'_>, operator: &Operator<'_>, at: usize) -> Result<usize, Stop> {
        use Operator as O;
        let next = at + 1;
        match operator {
            O::Block { blockty } | O::Loop { blockty } => {
                let is_loop = matches!(operator, O::Loop { .. });
                frame.open(arity(self.program, *blockty), frame.extent(at), is_loop, at);
            }
            O::If { blockty } => {
                let extent = frame.extent(at);
                let is_true = frame.pop() as u32 != 0;
                frame.open(arity(self.program, *blockty), extent, false, at);
                match (is_true, extent.otherwise) {
                    (true, _) => {}
                    (false, Some(otherwise)) => return Ok(otherwise + 1),
                    (false, None) => {
                        frame.labels.pop();
                        return Ok(extent.end + 1);
                    }
                }
            }
            // The end of a then-branch.
            O::Else => return Ok(frame.branch(0)),
            O::End => drop(frame.labels.pop()),
            O::Br { relative_depth } => return Ok(frame.branch(*relative_depth)),
            O::BrIf { relative_depth } => {
                if frame.pop() as u32 != 0 {
                    return Ok(frame.branch(*relative_depth));
                }
            }
            O::BrTable { targets } => {
                let index = frame.pop() as u32;
                let target = targets.targets().flatten().nth(index as usize);
                return Ok(frame.branch(target.unwrap_or_else(|| targets.default())));
            }
            O::Return => return Ok(frame.branch(frame.labels.len() as u32 - 1)),
            O::Unreachable => return Err(UNREACHABLE),
            O::Call { function_index } => {
                if (*function_index as usize) < self.program.imports.len() {
                    self.check(frame)?;
                }
                self.call_from(frame, *function_index, Way::Name)?;
            }
            O::CallIndirect { type_index, .. } => {
                if self.program.tables_reach_host {
                    self.check(frame)?;
                }
                // The counters are stored before the engine reads the table.
                (self.fuel, self.stack) = (frame.fuel, frame.stack);
                let index = index(frame.pop(), self.program.is_table64);
                let element = self.program.table.get(index as usize).ok_or(TABLE)?;
                let function = element.ok_or(NULL)?;
                if *self.program.function_type(function) != self.program.types[*type_index as usize] {
                    return Err(SIGNATURE);
                }
                self.call_from(frame, function, Way::Other)?;
            }
            O::GlobalGet { global_index } => frame.operands.push(self.globals[*global_index as usize]),
            O::GlobalSet { global_index } => self.globals[*global_index as usize] = frame.pop(),
            O::MemorySize { .. } => frame.operands.push(self.memory.len() as u64 / self.page),
            O::MemoryGrow { .. } => self.grow(frame)?,
            O::MemoryFill { .. } => {
                let (length, byte, to) = self.bulk(frame, false)?;
                self.bytes(to, length)?.fill(byte as u8);
            }
            O::MemoryCopy { .. } => {
                let (length, from, to) = self.bulk(frame, true)?;
                let bytes = self.bytes(from, length)?.to_vec();
                self.bytes(to, length)?.copy_from_slice(&bytes);
            }
            _ => self.access(frame, operator)?,
        }
        Ok(next)
    }

    fn call_from(&mut self, frame: &mut Frame<'_>, function: u32, way: Way) -> Result<(), Stop> {
        (self.fuel, self.stack) = (frame.fuel, frame.stack);
        let params = self.program.function_type(function).params().len();
        let params = frame.operands.split_off(frame.operands.len() - params);
        let results = self.function(function, params, way)?;
        frame.operands.extend(results);
        frame.fuel = self.fuel;
        Ok(())
    }

    fn grow(&mut self, frame: &mut Frame<'_>) -> Result<(), Stop> {
        let more = self.index(frame);
        let old = self.memory.len() as u64 / self.page;
        if old.checked_add(more).is_none_or(|pages| pages > self.most_pages) {
            frame.operands.push(index(u64::MAX, self.is_memory64));
        } else {
            self.memory.resize(((old + more) * self.page) as usize, 0);
            frame.operands.push(old);
            let cost = cost::bytes(more * self.page);
            self.executed += cost.cast_unsigned();
            frame.fuel -= cost;
        }
        self.check(frame)
    }

    /// The operands of a bulk operator, the last one first, once it is charged. An operator that is out of bounds costs
    /// nothing: it traps.
    fn bulk(&mut self, frame: &mut Frame<'_>, is_copy: bool) -> Result<(u64, u64, u64), Stop> {
        let length = self.index(frame);
        let (second, to) = (frame.pop(), frame.pop());
        self.bytes(to, length)?;
        if is_copy {
            self.bytes(second, length)?;
        }
        frame.fuel -= cost::bytes(length);
        self.check(frame)?;
        self.executed += cost::bytes(length).cast_unsigned();
        Ok((length, second, to))
    }

    /// Pops an index of the memory.
    fn index(&self, frame: &mut Frame<'_>) -> u64 {
        index(frame.pop(), self.is_memory64)
    }

    fn bytes(&mut self, at: u64, length: u64) -> Result<&mut [u8], Stop> {
        self.memory.get_mut(at as usize..).and_then(|bytes| bytes.get_mut(..length as usize)).ok_or(MEMORY)
    }

    /// Loads and stores; other operators do not access the instance.
    fn access(&mut self, frame: &mut Frame<'_>, operator: &Operator<'_>) -> Result<(), Stop> {
        use Operator as O;
        match operator {
            O::I32Load { memarg } => self.load(frame, memarg, 4, |bits| bits),
            O::I32Load8S { memarg } => self.load(frame, memarg, 1, |bits| narrow(bits as u8 as i8 as i32)),
            O::I32Load8U { memarg } => self.load(frame, memarg, 1, |bits| bits),
            O::I32Load16S { memarg } => self.load(frame, memarg, 2, |bits| narrow(bits as u16 as i16 as i32)),
            O::I32Load16U { memarg } => self.load(frame, memarg, 2, |bits| bits),
            O::I64Load { memarg } => self.load(frame, memarg, 8, |bits| bits),
            O::I64Load8S { memarg } => self.load(frame, memarg, 1, |bits| bits as u8 as i8 as u64),
            O::I64Load8U { memarg } => self.load(frame, memarg, 1, |bits| bits),
            O::I64Load16S { memarg } => self.load(frame, memarg, 2, |bits| bits as u16 as i16 as u64),
            O::I64Load16U { memarg } => self.load(frame, memarg, 2, |bits| bits),
            O::I64Load32S { memarg } => self.load(frame, memarg, 4, |bits| bits as u32 as i32 as u64),
            O::I64Load32U { memarg } => self.load(frame, memarg, 4, |bits| bits),
            O::I32Store { memarg } | O::I64Store32 { memarg } => self.store(frame, memarg, 4),
            O::I32Store8 { memarg } | O::I64Store8 { memarg } => self.store(frame, memarg, 1),
            O::I32Store16 { memarg } | O::I64Store16 { memarg } => self.store(frame, memarg, 2),
            O::I64Store { memarg } => self.store(frame, memarg, 8),
            _ => frame.plain(operator),
        }
    }

    fn load(&mut self, frame: &mut Frame<'_>, at: &MemArg, width: u64, read: fn(u64) -> u64) -> Result<(), Stop> {
        let from = self.index(frame).checked_add(at.offset).ok_or(MEMORY)?;
        let mut bits = [0; 8];
        bits[..width as usize].copy_from_slice(self.bytes(from, width)?);
        frame.operands.push(read(u64::from_le_bytes(bits)));
        Ok(())
    }

    fn store(&mut self, frame: &mut Frame<'_>, at: &MemArg, width: u64) -> Result<(), Stop> {
        let bits = frame.pop().to_le_bytes();
        let to = self.index(frame).checked_add(at.offset).ok_or(MEMORY)?;
        self.bytes(to, width)?.copy_from_slice(&bits[..width as usize]);
        Ok(())
    }
}

impl Frame<'_> {
    fn pop(&mut self) -> u64 {
        self.operands.pop().expect("the module is valid")
    }

    fn extent(&self, at: usize) -> Extent {
        self.body.blocks[&at]
    }

    fn open(&mut self, (params, results): (usize, usize), extent: Extent, is_loop: bool, at: usize) {
        let height = self.operands.len() - params;
        let (arity, to) = if is_loop { (params, at + 1) } else { (results, extent.end + 1) };
        self.labels.push(Label { height, arity, to, is_loop });
    }

    /// Takes a branch; returns its target.
    fn branch(&mut self, depth: u32) -> usize {
        let index = self.labels.len() - 1 - depth as usize;
        let label = self.labels[index];
        let taken = self.operands.split_off(self.operands.len() - label.arity);
        self.operands.truncate(label.height);
        self.operands.extend(taken);
        // A branch to a loop leaves it open.
        self.labels.truncate(index + usize::from(label.is_loop));
        label.to
    }
}

/// An index of 32 or 64 bits.
fn index(bits: u64, is_64: bool) -> u64 {
    if is_64 { bits } else { (bits as u32).into() }
}

fn narrow(value: i32) -> u64 {
    value.cast_unsigned().into()
}

fn bits(value: Value) -> u64 {
    match value {
        Value::I32(value) => narrow(value),
        Value::I64(value) => value.cast_unsigned(),
        other => unreachable!("{other:?} is no integer"),
    }
}

fn value(ty: ValType, bits: u64) -> Value {
    match ty {
        ValType::I32 => Value::I32(bits as u32 as i32),
        _ => Value::I64(bits.cast_signed()),
    }
}
