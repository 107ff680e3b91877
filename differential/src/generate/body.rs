//! The bodies: a sequence of operators, generated along with the types of the operand stack.

mod control;

use wasm_encoder::{Encode, Function, HeapType, Ieee32, Ieee64, Instruction as I, MemArg, ValType};

use super::{
    MOST_RESULTS, Plan,
    operators::{Access, FLOATS, INTEGERS, LOADS, STORES, VECTORS},
};
use crate::numbers::Numbers;

use ValType::{F32, F64, I32, I64, V128};

/// Maximum nesting of blocks.
const MOST_NESTED: usize = 7;
/// Maximum number of operands of one block; more are dropped.
const MOST_OPERANDS: usize = 12;

/// Lengths and indices at the boundaries of bulk operators.
const EDGES: [u32; 16] = [0, 0, 1, 1, 2, 15, 16, 17, 31, 100, 4_096, 65_535, 65_536, 65_537, 0x7fff_ffff, 0xffff_ffff];
/// Additional ones for 64-bit indices.
const EDGES64: [u64; 7] =
    [0x1_0000_0000, 0x1_0000_0001, 0xffff_ffff_ffff, 0x7fff_ffff_ffff_ffff, 1 << 63, u64::MAX - 15, u64::MAX];
/// Deltas in pages for memory growth: of the usual size, and of one byte.
const GROWTHS: [i64; 8] = [0, 0, 1, 1, 2, 100, 65_536, -1];
const GROWTHS_OF_BYTES: [i64; 12] = [0, 1, 15, 16, 17, 100, 1_000, 70_000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, -1];
const FLOATS32: [u32; 14] = [
    0,
    0x8000_0000,
    0x3f80_0000,
    0xbfc0_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0000,
    0x7f80_0001,
    0x7fa1_2345,
    0xffff_ffff,
    1,
    0x4f00_0000,
    0x5f00_0000,
];
const FLOATS64: [u64; 14] = [
    0,
    1 << 63,
    0x3ff0_0000_0000_0000,
    0xbff8_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff4_1234_5678_9abc,
    u64::MAX,
    1,
    0x41e0_0000_0000_0000,
    0x43e0_0000_0000_0000,
];
const INTEGERS64: [u64; 12] =
    [0, 1, 2, 7, 31, 63, 64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000];

/// An encoded body, locals included.
pub(super) fn body(plan: &mut Plan, numbers: &mut Numbers, function: u32) -> Vec<u8> {
    let (params, results) = plan.function_type(function);
    let mut locals = params.clone();
    for _ in 0..numbers.below(6) {
        locals.push(plan.value_type(numbers));
    }
    let left = plan.operators / 2 + numbers.below(plan.operators);
    let frame = Frame { label: results.clone(), height: 0, is_unreachable: false };
    let mut body = Body {
        plan,
        numbers,
        function,
        results: results.clone(),
        locals,
        counters: Vec::new(),
        stack: Vec::new(),
        frames: vec![frame],
        code: Vec::new(),
        left: left.cast_signed(),
    };
    while body.left > 0 {
        body.statement();
    }
    body.finish(&results);
    body.emit(&I::End);

    let (code, locals) = (body.code, body.locals);
    let mut encoded = Function::new(locals[params.len()..].iter().map(|ty| (1, *ty)));
    encoded.raw(code);
    encoded.into_raw_body()
}

struct Frame {
    /// Types of the values that a branch to it carries.
    label: Vec<ValType>,
    /// Operands below it.
    height: usize,
    is_unreachable: bool,
}

struct Body<'p> {
    plan: &'p mut Plan,
    numbers: &'p mut Numbers,
    function: u32,
    results: Vec<ValType>,
    locals: Vec<ValType>,
    /// Locals that loops count down; nothing else sets them.
    counters: Vec<u32>,
    stack: Vec<ValType>,
    frames: Vec<Frame>,
    code: Vec<u8>,
    /// Number of operators that may still be written.
    left: i64,
}

impl Body<'_> {
    fn statement(&mut self) {
        if self.stack.len() - self.frame().height > MOST_OPERANDS {
            return self.consume();
        }
        match self.numbers.below(100) {
            0..22 => self.run_of_locals(),
            22..25 => self.run_under_branch(),
            27 => self.chain_in_arms(),
            25..27 => {
                let ty = self.plan.value_type(self.numbers);
                self.constant(ty);
            }
            28..57 => self.operator(),
            57..64 => self.consume(),
            64..71 => self.access(),
            71..75 => self.memory(),
            75..81 => self.block(),
            81..87 => self.branch_if(),
            87..89 => self.stop(),
            89..94 => self.call(),
            94..96 => self.select(),
            96..98 => self.tee(),
            _ if self.plan.kinds.references => self.reference(),
            _ => self.operator(),
        }
    }

    // The stack.

    fn frame(&self) -> &Frame {
        self.frames.last().expect("the function's own frame is there to the end")
    }

    fn emit(&mut self, operator: &I<'_>) {
        operator.encode(&mut self.code);
        self.left -= 1;
    }

    /// Writes an operator whose operands are on the stack.
    fn apply(&mut self, operator: &I<'_>, params: &[ValType], results: &[ValType]) {
        self.emit(operator);
        self.pop(params.len());
        self.stack.extend_from_slice(results);
    }

    /// Writes an operator, preceded by what it needs.
    fn with_operands(&mut self, operator: &I<'_>, params: &[ValType], results: &[ValType]) {
        self.ensure_operands(params);
        self.apply(operator, params, results);
    }

    /// In unreachable code there may be fewer.
    fn pop(&mut self, count: usize) {
        let above = self.stack.len() - self.frame().height;
        self.stack.truncate(self.stack.len() - count.min(above));
    }

    /// Whether the top of the stack has these types, or may be assumed to in unreachable code.
    fn has(&self, types: &[ValType]) -> bool {
        let above = &self.stack[self.frame().height..];
        let count = types.len().min(above.len());
        (count == types.len() || self.frame().is_unreachable)
            && above[above.len() - count..] == types[types.len() - count..]
    }

    /// Makes the top of the stack have these types.
    fn ensure_operands(&mut self, types: &[ValType]) {
        // Reuses as many of the operands as possible.
        let missing = (0..=types.len()).find(|missing| self.has(&types[..types.len() - missing]));
        let missing = match self.numbers.once_in(8) {
            true => types.len(),
            false => missing.unwrap_or(types.len()),
        };
        for ty in &types[types.len() - missing..] {
            self.value(*ty);
        }
    }

    fn value(&mut self, ty: ValType) {
        let globals: Vec<u32> = self.globals(ty, false);
        match self.numbers.below(10) {
            0..6 => match self.local(ty, false) {
                Some(local) => self.apply(&I::LocalGet(local), &[], &[ty]),
                None => self.constant(ty),
            },
            6 if !globals.is_empty() => {
                let global = self.numbers.pick(&globals);
                self.apply(&I::GlobalGet(global), &[], &[ty]);
            }
            _ => self.constant(ty),
        }
    }

    fn constant(&mut self, ty: ValType) {
        let random = self.numbers.number() >> self.numbers.below(64);
        let is_edge = self.numbers.once_in(2);
        let constant = match ty {
            I32 if is_edge => I::I32Const(self.numbers.pick(&INTEGERS64) as i32),
            I32 => I::I32Const(random as i32),
            I64 if is_edge => I::I64Const(self.numbers.pick(&INTEGERS64).cast_signed()),
            I64 => I::I64Const(random.cast_signed()),
            F32 if is_edge => I::F32Const(Ieee32::new(self.numbers.pick(&FLOATS32))),
            F32 => I::F32Const((random.cast_signed() as f32 / 16.0).into()),
            F64 if is_edge => I::F64Const(Ieee64::new(self.numbers.pick(&FLOATS64))),
            F64 => I::F64Const((random.cast_signed() as f64 / 16.0).into()),
            V128 => {
                let low = u128::from(self.numbers.pick(&FLOATS64));
                let high = u128::from(self.numbers.pick(&FLOATS32)) << 32 | u128::from(random as u32);
                I::V128Const((high << 64 | low).cast_signed())
            }
            _ => I::RefNull(HeapType::FUNC),
        };
        self.apply(&constant, &[], &[ty]);
    }

    /// A local of this type, if there is one.
    fn local(&mut self, ty: ValType, may_be_set: bool) -> Option<u32> {
        let locals = (0..self.locals.len() as u32)
            .filter(|local| self.locals[*local as usize] == ty && !(may_be_set && self.counters.contains(local)));
        let locals: Vec<u32> = locals.collect();
        (!locals.is_empty()).then(|| self.numbers.pick(&locals))
    }

    fn new_local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.locals.len() as u32 - 1
    }

    /// The first one is reserved for recursion.
    fn globals(&self, ty: ValType, mutable: bool) -> Vec<u32> {
        let globals = self.plan.globals.iter().enumerate().skip(1);
        let globals = globals.filter(|(_, global)| global.0 == ty && (global.1 || !mutable));
        globals.map(|(index, _)| index as u32).collect()
    }

    // Statements.

    /// Values that an interpreter's translator may read from their locals later, until something in between changes
    /// one.
    fn run_of_locals(&mut self) {
        if self.locals.is_empty() {
            return self.constant(I32);
        }
        let count = self.locals.len() as u64;
        let mut local = self.numbers.below(count);
        // In order, or not.
        let step = self.numbers.below(2);
        for _ in 0..1 + self.numbers.below(5) {
            let ty = self.locals[local as usize];
            self.apply(&I::LocalGet(local as u32), &[], &[ty]);
            local = if step == 1 { (local + 1) % count } else { self.numbers.below(count) };
        }
    }

    fn operator(&mut self) {
        let tables: &[_] = match (self.plan.kinds.vectors, self.plan.kinds.floats) {
            (true, _) => &[INTEGERS, FLOATS, VECTORS, VECTORS],
            (_, true) => &[INTEGERS, FLOATS],
            _ => &[INTEGERS],
        };
        // Prefers one whose operands are on the stack.
        for attempt in 0..8 {
            let families = self.numbers.pick(tables);
            let family = &families[self.numbers.below(families.len() as u64) as usize];
            let may_trap = !family.traps || self.numbers.once_in(6);
            if may_trap && (attempt == 7 || self.has(family.params)) {
                let operator = &family.operators[self.numbers.below(family.operators.len() as u64) as usize];
                return self.with_operands(operator, family.params, &[family.result]);
            }
        }
    }

    /// Removes the value on top.
    fn consume(&mut self) {
        let Some(ty) = self.stack[self.frame().height..].last().copied() else {
            return self.run_of_locals();
        };
        let globals = self.globals(ty, true);
        let operator = match (self.numbers.below(8), self.local(ty, true)) {
            (0..4, Some(local)) => I::LocalSet(local),
            (4..7, _) if !globals.is_empty() => I::GlobalSet(self.numbers.pick(&globals)),
            _ => I::Drop,
        };
        self.apply(&operator, &[ty], &[]);
    }

    fn tee(&mut self) {
        let ty = self.plan.value_type(self.numbers);
        if let Some(local) = self.local(ty, true) {
            self.with_operands(&I::LocalTee(local), &[ty], &[ty]);
        }
    }

    fn select(&mut self) {
        let ty = self.plan.value_type(self.numbers);
        self.value(ty);
        self.value(ty);
        self.value(I32);
        self.apply(&I::Select, &[ty, ty, I32], &[ty]);
    }

    /// An address, mostly inside the memory.
    fn address(&mut self) {
        let index = self.plan.memory_index();
        match self.numbers.below(12) {
            0..6 => {
                let at = self.numbers.below(65_000);
                self.index(index, at);
            }
            6..11 => {
                self.value(index);
                self.index(index, 0x7fff);
                let and = if index == I64 { I::I64And } else { I::I32And };
                self.apply(&and, &[index, index], &[index]);
            }
            _ => self.edge(index),
        }
    }

    /// A constant index.
    fn index(&mut self, ty: ValType, index: u64) {
        let constant = if ty == I64 { I::I64Const(index.cast_signed()) } else { I::I32Const(index as i32) };
        self.apply(&constant, &[], &[ty]);
    }

    fn edge(&mut self, ty: ValType) {
        let edge = match ty == I64 && self.numbers.once_in(3) {
            true => self.numbers.pick(&EDGES64),
            false => self.numbers.pick(&EDGES).into(),
        };
        self.index(ty, edge);
    }

    /// A length, mostly short.
    fn length(&mut self, ty: ValType) {
        match self.numbers.once_in(6) {
            true => self.edge(ty),
            false => {
                let length = self.numbers.pick(&[0, 1, 2, 15, 16, 17, 33, 100]);
                self.index(ty, length);
            }
        }
    }

    fn access(&mut self) {
        let types: &[ValType] = match (self.plan.kinds.vectors, self.plan.kinds.floats) {
            (true, _) => &[I32, I64, F32, F64, V128],
            (_, true) => &[I32, I64, F32, F64],
            _ => &[I32, I64],
        };
        let value = self.numbers.pick(types);
        let offset = match self.numbers.below(40) {
            0 => u64::from(self.numbers.pick(&EDGES)),
            1..10 => self.numbers.below(200),
            _ => 0,
        };
        let at = MemArg { offset, align: 0, memory_index: 0 };
        let index = self.plan.memory_index();
        let operator = |accesses: &[Access], numbers: &mut Numbers| {
            let access = accesses.iter().find(|access| access.value == value);
            let operators = access.map(|access| access.operators).expect("every value can be loaded and stored");
            numbers.pick(operators)(at)
        };
        self.address();
        if self.numbers.once_in(2) {
            let load = operator(LOADS, self.numbers);
            self.apply(&load, &[index], &[value]);
        } else {
            let store = operator(STORES, self.numbers);
            self.value(value);
            self.apply(&store, &[index, value], &[]);
        }
    }

    fn memory(&mut self) {
        let index = self.plan.memory_index();
        match self.numbers.below(8) {
            0..3 => {
                self.address();
                self.value(I32);
                self.length(index);
                self.apply(&I::MemoryFill(0), &[index, I32, index], &[]);
            }
            3..6 => {
                self.address();
                self.address();
                self.length(index);
                self.apply(&I::MemoryCopy { src_mem: 0, dst_mem: 0 }, &[index; 3], &[]);
            }
            6 => self.apply(&I::MemorySize(0), &[], &[index]),
            _ => {
                let growths: &[_] = if self.plan.kinds.byte_pages { &GROWTHS_OF_BYTES } else { &GROWTHS };
                let pages = self.numbers.pick(growths);
                self.index(index, pages.cast_unsigned());
                self.apply(&I::MemoryGrow(0), &[index], &[index]);
            }
        }
    }

    /// Tables, references, passive segments.
    fn reference(&mut self) {
        const FUNCREF: ValType = ValType::FUNCREF;
        let table = self.numbers.below(self.plan.tables.len() as u64) as u32;
        let (index, first) = (self.plan.table_index(table), self.plan.table_index(0));
        let function = self.numbers.below(self.plan.functions.len() as u64) as u32;
        let reference = if self.numbers.once_in(2) { I::RefFunc(function) } else { I::RefNull(HeapType::FUNC) };
        let data = self.plan.passive_data.len() as u64;
        let elements = self.plan.passive_elements.len() as u64;
        match self.numbers.below(12) {
            0 => self.apply(&I::TableSize(table), &[], &[index]),
            1 => {
                self.element(index);
                self.apply(&I::TableGet(table), &[index], &[FUNCREF]);
                self.apply(&I::RefIsNull, &[FUNCREF], &[I32]);
            }
            2 => {
                self.element(index);
                self.apply(&reference, &[], &[FUNCREF]);
                self.apply(&I::TableSet(table), &[index, FUNCREF], &[]);
            }
            3 => {
                self.apply(&reference, &[], &[FUNCREF]);
                self.length(index);
                self.apply(&I::TableGrow(table), &[FUNCREF, index], &[index]);
            }
            4 => {
                self.element(index);
                self.apply(&reference, &[], &[FUNCREF]);
                self.element(index);
                self.apply(&I::TableFill(table), &[index, FUNCREF, index], &[]);
            }
            5 => {
                // The narrower index type determines that of the length.
                let length = if index == first { index } else { I32 };
                let operands = [index, first, length];
                operands.iter().for_each(|ty| self.element(*ty));
                self.apply(&I::TableCopy { src_table: 0, dst_table: table }, &operands, &[]);
            }
            6 | 7 if elements > 0 => {
                let elem_index = 1 + self.numbers.below(elements) as u32;
                let operands = [index, I32, I32];
                operands.iter().for_each(|ty| self.element(*ty));
                self.apply(&I::TableInit { elem_index, table }, &operands, &[]);
            }
            8 if elements > 0 => {
                let segment = 1 + self.numbers.below(elements) as u32;
                self.apply(&I::ElemDrop(segment), &[], &[]);
            }
            9 | 10 if data > 0 => {
                let data_index = self.numbers.below(data) as u32;
                self.address();
                self.element(I32);
                self.length(I32);
                self.apply(&I::MemoryInit { mem: 0, data_index }, &[self.plan.memory_index(), I32, I32], &[]);
            }
            11 if data > 0 => {
                let segment = self.numbers.below(data) as u32;
                self.apply(&I::DataDrop(segment), &[], &[]);
            }
            _ => self.operator(),
        }
    }

    /// An index or length of a table or segment, mostly small.
    fn element(&mut self, ty: ValType) {
        match self.numbers.once_in(20) {
            true => self.edge(ty),
            false => {
                let index = self.numbers.below(6);
                self.index(ty, index);
            }
        }
    }

    /// An index of the first table, mostly of a function of this type.
    fn index_of(&mut self, type_index: u32) {
        let holds = |index: &u32| {
            let function = self.plan.table[*index as usize];
            self.plan.functions[function as usize] == type_index
        };
        let indices: Vec<u32> = (0..self.plan.table.len() as u32).filter(holds).collect();
        let ty = self.plan.table_index(0);
        match indices.is_empty() || self.numbers.once_in(12) {
            true => self.element(ty),
            false => {
                let index = self.numbers.pick(&indices);
                self.index(ty, index.into());
            }
        }
    }
}
