//! Guests that recurse to the end of the stack with frames that engines make large, with values that the engine keeps
//! and the guest does not: constants as call arguments, folded constants, values hoisted out of loops, values loaded
//! for calls, many parameters, many operands.
//!
//! A frame's charge must exceed all of that, so that the stack counter ends the guest, on every backend at the same
//! depth.

mod copied;

use hotcell_core::{Policy, PolicyError, Proposal, Rules, policy::Floats};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, HeapType, ImportSection, Instruction as I, InstructionSink, MemArg,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use super::{Difference, Numbers, Observed, Runner, generate::invariant, host::import};
use hotcell_conformance::BackendUnderTest;

use ValType::{F64, I32, I64, V128};

/// Bytes of stack of the guests.
const STACKS: [u64; 6] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 512 << 10, 1 << 20];

/// Enough to reach the end of any of these stacks.
const FUEL: u64 = 1_000_000_000;

/// The export that recurses, and the one that counts its calls.
const RUN: &str = "run";
const DEPTH: &str = "depth";

/// Two backends with stacks of several sizes.
pub struct Frames<A: BackendUnderTest, B: BackendUnderTest>(Vec<(u64, Runner<A>, Runner<B>)>);

impl<A: BackendUnderTest, B: BackendUnderTest> Frames<A, B> {
    /// Makes the engines.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when a backend cannot enforce a policy.
    pub fn new() -> Result<Self, PolicyError> {
        let pair = |stack| Ok((stack, Runner::new(&policy(stack))?, Runner::new(&policy(stack))?));
        Ok(Self(STACKS.into_iter().map(pair).collect::<Result<_, _>>()?))
    }

    /// Runs the module of `seed` to the end of the stack on both. Returns what it observed.
    ///
    /// # Errors
    ///
    /// A [`Difference`], or the guest ended otherwise.
    pub fn compare(&self, seed: u64) -> Result<Observed, Difference> {
        let (wasm, shapes) = module(seed);
        let (stack, one, other) = &self.0[Numbers::new(!seed).below(self.0.len() as u64) as usize];
        let (one, other) = (one.call(&wasm, RUN, &[]), other.call(&wasm, RUN, &[]));
        if one == other && one.code == "stack-overflow" {
            return Ok(one);
        }
        Err(Difference {
            seed,
            configuration: "frames",
            what: format!("{shapes:?} with {stack} bytes of stack"),
            one: format!("{one:?}"),
            other: format!("{other:?}"),
            wasm,
        })
    }
}

fn policy(stack_bytes: u64) -> Policy {
    let change = |rules: &mut Rules| {
        rules.abi = None;
        rules.floats = Floats::Canonical;
        (rules.limits.fuel, rules.limits.stack_bytes) = (Some(FUEL), stack_bytes);
        for proposal in [Proposal::Simd, Proposal::MultiMemory, Proposal::CustomPageSizes] {
            rules.proposals.allow(proposal);
        }
        (rules.module.memories, rules.module.tables) = (8, 8);
    };
    Policy::default().with(change).expect("the rules do not contradict each other")
}

/// A cause of a large frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Different constants as the arguments of calls.
    Constants,
    /// Chains of arithmetic on constants, of which each link is kept.
    Folded,
    /// Loop-invariant operators: on vectors, floats and integers.
    Invariant,
    /// Immutable globals, in a loop.
    Globals,
    /// Different imported functions in a loop.
    Imports,
    /// Indirect calls of different types, in a loop.
    Types,
    /// The maximum number of parameters.
    Params,
    /// Operands that are live across a call.
    Operands,
    /// Results of `select` on vectors and floats, in a loop.
    Selected,
    /// Addresses of elements of several tables, and of bytes of several memories, in a loop.
    Addresses,
    /// Chains of operators that are computed anew in each of many arms, with their links live across a call.
    Copied,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Constants,
        Self::Folded,
        Self::Invariant,
        Self::Globals,
        Self::Imports,
        Self::Types,
        Self::Params,
        Self::Operands,
        Self::Selected,
        Self::Addresses,
        Self::Copied,
    ];
}

/// The module of `seed`, and its shapes: for most seeds it is one.
pub fn module(seed: u64) -> (Vec<u8>, Vec<Shape>) {
    let mut numbers = Numbers::new(seed);
    let mut shapes = vec![Shape::ALL[(seed % 11) as usize]];
    while shapes.len() < 3 && numbers.once_in(3) {
        shapes.push(numbers.pick(&Shape::ALL));
    }
    shapes.sort_unstable();
    shapes.dedup();
    (Plan::new(&shapes, &mut numbers).module(), shapes)
}

/// A number whose size, not whose value, is random.
fn size(numbers: &mut Numbers, least: u64, most: u64) -> u64 {
    (most >> numbers.below(6)).saturating_sub(numbers.below(8)).max(least)
}

const DEPTH_GLOBAL: u32 = 0;

/// The declarations of a module; the recursive function is written while they are added.
struct Plan {
    types: TypeSection,
    imports: ImportSection,
    imported: u32,
    globals: GlobalSection,
    /// Types of the functions that do nothing.
    sinks: Vec<u32>,
    /// Number of tables and memories besides the first.
    tables: u32,
    memories: u32,
    params: Vec<ValType>,
    locals: Vec<ValType>,
    /// Code before the loop, before the recursive call, and after it.
    outside: Vec<Part>,
    before: Vec<Part>,
    behind: Vec<Part>,
}

/// A piece of a body, written when all indices are known.
type Part = Box<dyn Fn(&mut Function, &Indices)>;

/// Indices that are known when the bodies are written.
struct Indices {
    /// The first function that does nothing, and the first local that is not a parameter.
    sink: u32,
    local: u32,
}

impl Plan {
    fn new(shapes: &[Shape], numbers: &mut Numbers) -> Self {
        let mut plan = Self {
            types: TypeSection::new(),
            imports: ImportSection::new(),
            imported: 0,
            globals: GlobalSection::new(),
            sinks: Vec::new(),
            tables: 0,
            memories: 0,
            params: Vec::new(),
            locals: Vec::new(),
            outside: Vec::new(),
            before: Vec::new(),
            behind: Vec::new(),
        };
        plan.global(I32, true, &ConstExpr::i32_const(0));
        for shape in shapes {
            plan.add(*shape, numbers);
        }
        plan
    }

    fn add(&mut self, shape: Shape, numbers: &mut Numbers) {
        match shape {
            Shape::Constants => self.constants(numbers),
            Shape::Folded => self.folded(numbers),
            Shape::Invariant => self.invariant(numbers),
            Shape::Globals => self.immutable_globals(numbers),
            Shape::Imports => self.imported_functions(numbers),
            Shape::Types => self.many_types(numbers),
            Shape::Params => self.many_params(numbers),
            Shape::Operands => self.many_operands(numbers),
            Shape::Selected => self.selected(numbers),
            Shape::Addresses => self.addresses(numbers),
            Shape::Copied => self.copied(numbers),
        }
    }

    fn global(&mut self, val_type: ValType, mutable: bool, value: &ConstExpr) -> u32 {
        self.globals.global(GlobalType { val_type, mutable, shared: false }, value);
        self.globals.len() - 1
    }

    fn ty(&mut self, params: &[ValType]) -> u32 {
        self.types.ty().function(params.iter().copied(), []);
        self.types.len() - 1
    }

    /// Adds a function with these parameters that does nothing; returns the number of such functions before it.
    fn sink(&mut self, params: &[ValType]) -> u32 {
        let ty = self.ty(params);
        self.sinks.push(ty);
        self.sinks.len() as u32 - 1
    }

    /// Adds a local; returns its index among those that are not parameters.
    fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.locals.len() as u32 - 1
    }

    fn constants(&mut self, numbers: &mut Numbers) {
        let types = numbers.pick(&[&[I64][..], &[I32], &[F64], &[I32, I64, F64], &[I64, I32]]);
        let count = size(numbers, 64, 9_000);
        let params = numbers.pick(&[1, 3, 16, 40, 64]);
        let params: Vec<ValType> = types.iter().copied().cycle().take(params).collect();
        let (sink, base) = (self.sink(&params), numbers.number() >> 8);
        self.behind.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            for call in 0..count / params.len() as u64 {
                for (param, ty) in (0..).zip(&params) {
                    constant(code, *ty, base + (call * params.len() as u64 + param) * 0x1_0000_0001);
                }
                code.call(at.sink + sink);
            }
        }));
    }

    /// `local.tee` keeps every link, including those that the engine folds; and they are call arguments.
    fn folded(&mut self, numbers: &mut Numbers) {
        let (ty, kept) = (numbers.pick(&[I32, I64, I64]), numbers.once_in(2));
        let count = size(numbers, 64, 5_000);
        let width = if kept { 60 } else { numbers.pick(&[1, 8, 64]) };
        let sink = self.sink(&vec![ty; width as usize]);
        let local = self.local(ty);
        let (factor, operator) = (numbers.number() | 1, numbers.below(3));
        self.behind.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            let local = at.local + local;
            let link = |code: &mut InstructionSink<'_>, number: u64| {
                constant(code, ty, factor.wrapping_mul(2 * number + 3));
                match (ty, operator) {
                    (I32, 0) => code.i32_mul(),
                    (I32, 1) => code.i32_add(),
                    (I32, _) => code.i32_xor(),
                    (_, 0) => code.i64_mul(),
                    (_, 1) => code.i64_add(),
                    _ => code.i64_xor(),
                };
                code.local_tee(local);
            };
            constant(code, ty, factor);
            code.local_set(local);
            for call in 0..count / width {
                for argument in 0..width {
                    code.local_get(local);
                    link(code, call * width + argument);
                }
                code.call(at.sink + sink);
            }
        }));
    }

    /// Loop-invariant values in a loop around the recursive call.
    fn invariant(&mut self, numbers: &mut Numbers) {
        let ty = numbers.pick(&[V128, V128, V128, F64, I64]);
        let operators = invariant(ty);
        let locals = size(numbers, 2, if ty == V128 { 90 } else { 160 }) as u32;
        let most = (u64::from(locals) * operators.len() as u64).min(5_000);
        let count = size(numbers, 16, most) as usize;
        let params = numbers.pick(&[1, 4, 16, 64]);
        let sink = self.sink(&vec![ty; params]);
        let first = self.loaded(ty, locals);
        self.behind.push(Box::new(move |function, at| {
            let values = (0..locals).flat_map(|local| operators.iter().map(move |operator| (local, operator)));
            let values: Vec<_> = values.take(count).collect();
            for call in values.chunks_exact(params) {
                for (local, operator) in call {
                    function.instruction(&I::LocalGet(at.local + first + local)).instruction(operator);
                }
                function.instruction(&I::Call(at.sink + sink));
            }
        }));
    }

    fn immutable_globals(&mut self, numbers: &mut Numbers) {
        let (ty, count) = (numbers.pick(&[I64, F64, I32]), size(numbers, 16, 4_000) as u32);
        let params = numbers.pick(&[1, 8, 64]);
        let (sink, first) = (self.sink(&vec![ty; params as usize]), self.globals.len());
        for _ in 0..count {
            let number = numbers.number();
            self.global(
                ty,
                false,
                &match ty {
                    I64 => ConstExpr::i64_const(number.cast_signed()),
                    F64 => ConstExpr::f64_const(f64::from_bits(number >> 2).into()),
                    _ => ConstExpr::i32_const(number as i32),
                },
            );
        }
        self.behind.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            for global in 0..count / params * params {
                code.global_get(first + global);
                if global % params == params - 1 {
                    code.call(at.sink + sink);
                }
            }
        }));
    }

    fn imported_functions(&mut self, numbers: &mut Numbers) {
        let (nop, step) = (import("nop"), import("step"));
        let (count, first) = (size(numbers, 8, 900).min(999 - u64::from(self.imported)) as u32, self.imported);
        let steps = numbers.below(3) as u32;
        let mut types = Vec::new();
        for import in [nop, step] {
            self.types.ty().function(import.params.iter().copied(), import.results.iter().copied());
            types.push(self.types.len() - 1);
        }
        for index in 0..count {
            let is_step = index % 3 < steps;
            let (import, ty) = if is_step { (step, types[1]) } else { (nop, types[0]) };
            self.imports.import("env", import.name, EntityType::Function(ty));
        }
        self.imported += count;
        self.behind.push(Box::new(move |function, _| {
            let code = &mut function.instructions();
            for index in 0..count {
                match index % 3 < steps {
                    true => code.i32_const(1).call(first + index).drop(),
                    false => code.call(first + index),
                };
            }
        }));
    }

    fn many_types(&mut self, numbers: &mut Numbers) {
        let (count, first) = (size(numbers, 8, 1_500), self.types.len());
        // The bits of the number determine the parameters.
        let params = |number: u64| (0..number.ilog2()).map(move |bit| if number >> bit & 1 == 0 { I32 } else { I64 });
        let from = 2 + numbers.below(60);
        for number in from..from + count {
            self.types.ty().function(params(number), []);
        }
        self.behind.push(Box::new(move |function, _| {
            let code = &mut function.instructions();
            for number in from..from + count {
                for ty in params(number) {
                    constant(code, ty, 1);
                }
                code.i32_const(0).call_indirect(0, first + (number - from) as u32);
            }
        }));
    }

    fn many_params(&mut self, numbers: &mut Numbers) {
        let types = numbers.pick(&[&[I64][..], &[F64], &[V128], &[I32], &[I32, I64, F64, V128]]);
        // All shapes together must not exceed the maximum.
        let more = 64 - self.params.len();
        let count = (1 + numbers.below(64) as usize).max(if numbers.once_in(2) { 64 } else { 1 }).min(more);
        self.params.extend(types.iter().copied().cycle().take(count));
    }

    /// Computed, so that no local holds them.
    fn many_operands(&mut self, numbers: &mut Numbers) {
        let (ty, count) = (numbers.pick(&[I64, I32, F64, V128]), size(numbers, 8, 1_600));
        let local = self.local(ty);
        self.before.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            for number in 0..count {
                code.local_get(at.local + local);
                match ty {
                    I64 => code.i64_const(number as i64).i64_add(),
                    I32 => code.i32_const(number as i32).i32_add(),
                    F64 => code.f64_const((number as f64).into()).f64_add(),
                    _ => code.v128_const(number.into()).i64x2_add(),
                };
            }
        }));
        self.behind.insert(
            0,
            Box::new(move |function, at| {
                let code = &mut function.instructions();
                // From the top, so that each is used.
                for _ in 1..count {
                    match ty {
                        I64 => code.i64_xor(),
                        I32 => code.i32_xor(),
                        F64 => code.f64_add(),
                        _ => code.v128_xor(),
                    };
                }
                code.local_set(at.local + local);
            }),
        );
    }

    /// Locals of this type, loaded from memory before the loop. Returns the first.
    fn loaded(&mut self, ty: ValType, count: u32) -> u32 {
        let first = self.locals.len() as u32;
        for _ in 0..count {
            self.local(ty);
        }
        self.outside.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            for local in 0..count {
                let place = MemArg { offset: u64::from(local) * 16, align: 0, memory_index: 0 };
                code.i32_const(0);
                match ty {
                    V128 => code.v128_load(place),
                    F64 => code.f64_load(place),
                    I32 => code.i32_load(place),
                    _ => code.i64_load(place),
                };
                code.local_set(at.local + first + local);
            }
        }));
        first
    }

    /// Loop-invariant selections from two locals, or from two and a condition.
    fn selected(&mut self, numbers: &mut Numbers) {
        let (ty, is_chosen) = numbers.pick(&[(V128, true), (V128, true), (F64, true), (F64, false), (F64, false)]);
        let (locals, conditions) = (size(numbers, 2, 60) as u32, if is_chosen { 16 } else { 6 });
        let (first, condition) = (self.loaded(ty, locals), self.loaded(I32, 16));
        let count = size(numbers, 16, 4_000) as usize;
        let params = numbers.pick(&[1, 16, 64]);
        let sink = self.sink(&vec![ty; params]);
        self.behind.push(Box::new(move |function, at| {
            let pairs = (0..locals).flat_map(|one| (one + 1..locals).map(move |other| (one, other)));
            let values = pairs.flat_map(|pair| (0..conditions).map(move |third| (pair, third)));
            let values: Vec<_> = values.take(count).collect();
            let code = &mut function.instructions();
            for call in values.chunks_exact(params) {
                for ((one, other), third) in call {
                    code.local_get(at.local + first + one).local_get(at.local + first + other);
                    match (is_chosen, third) {
                        (true, _) => code.local_get(at.local + condition + third).select(),
                        (false, 0) => code.f64_add(),
                        (false, 1) => code.f64_sub(),
                        (false, 2) => code.f64_mul(),
                        (false, 3) => code.f64_div(),
                        (false, 4) => code.f64_min(),
                        (false, _) => code.f64_max(),
                    };
                }
                code.call(at.sink + sink);
            }
        }));
    }

    /// Stores to loop-invariant addresses, in each of several memories or tables.
    fn addresses(&mut self, numbers: &mut Numbers) {
        let (objects, is_memory) = (1 + numbers.below(7) as u32, numbers.once_in(2));
        let locals = size(numbers, 8, 300) as u32;
        let first = self.loaded(I32, locals);
        if is_memory {
            self.memories = self.memories.max(objects);
        } else {
            self.tables = self.tables.max(objects);
        }
        let sink = self.sink(&[]);
        self.behind.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            for local in 0..locals {
                for object in 1..=objects {
                    code.local_get(at.local + first + local);
                    match is_memory {
                        true => {
                            let place = MemArg { offset: u64::from(local), align: 0, memory_index: object };
                            code.local_get(at.local + first + local).i32_store(place)
                        }
                        false => code.ref_null(HeapType::FUNC).table_set(object),
                    };
                }
            }
            code.call(at.sink + sink);
        }));
    }

    fn module(mut self) -> Vec<u8> {
        let recursive = self.ty(&self.params.clone());
        let run = self.ty(&[]);
        let sink = self.imported + 2;
        let at = Indices { sink, local: self.params.len() as u32 };
        let mut functions = FunctionSection::new();
        functions.function(recursive).function(run);
        for ty in &self.sinks {
            functions.function(*ty);
        }

        let mut code = CodeSection::new();
        let mut body = Function::new(self.locals.iter().map(|ty| (1, *ty)));
        self.write(&mut body, &at);
        code.function(&body);
        let mut body = Function::new([]);
        let mut sink = body.instructions();
        self.params.iter().for_each(|ty| constant(&mut sink, *ty, 7));
        sink.call(self.imported).end();
        code.function(&body);
        for _ in &self.sinks {
            code.function(Function::new([]).instruction(&I::End));
        }

        let mut tables = TableSection::new();
        let element_type = RefType::FUNCREF;
        for _ in 0..=self.tables {
            tables.table(TableType { element_type, minimum: 1, maximum: Some(1), table64: false, shared: false });
        }
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        for _ in 0..self.memories {
            let (minimum, maximum, page_size_log2) = (1 << 16, Some(1 << 16), Some(0));
            memories.memory(MemoryType { minimum, maximum, memory64: false, shared: false, page_size_log2 });
        }
        let mut exports = ExportSection::new();
        exports.export(RUN, ExportKind::Func, self.imported + 1).export(DEPTH, ExportKind::Global, DEPTH_GLOBAL);
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(vec![self.imported + 1].into()));
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&functions).section(&tables).section(&memories);
        module.section(&self.globals).section(&exports).section(&elements).section(&code);
        module.finish()
    }

    /// The recursive function: counts its calls, and calls itself in a loop. The code after the call is never reached.
    fn write(&self, body: &mut Function, at: &Indices) {
        body.instructions().global_get(DEPTH_GLOBAL).i32_const(1).i32_add().global_set(DEPTH_GLOBAL);
        self.outside.iter().for_each(|part| part(body, at));
        body.instructions().loop_(BlockType::Empty);
        self.before.iter().for_each(|part| part(body, at));
        for param in 0..self.params.len() as u32 {
            body.instructions().local_get(param);
        }
        body.instructions().call(self.imported);
        self.behind.iter().for_each(|part| part(body, at));
        body.instructions().global_get(DEPTH_GLOBAL).br_if(0).end().end();
    }
}

fn constant(code: &mut InstructionSink<'_>, ty: ValType, number: u64) {
    match ty {
        I32 => code.i32_const(number as i32),
        I64 => code.i64_const(number.cast_signed()),
        F64 => code.f64_const(f64::from_bits(number & (u64::MAX >> 2)).into()),
        _ => code.v128_const(i128::from(number)),
    };
}

#[cfg(test)]
mod tests {
    use hotcell_core::{Contract, Offered, Signature, admit, admit::FuncType, value::ValType as Ty};

    use super::*;

    #[test]
    fn every_module_is_admitted() {
        let mut offered = Offered::default();
        for import in [import("nop"), import("step")] {
            let ty =
                FuncType { params: vec![Ty::I32; import.params.len()], results: vec![Ty::I32; import.results.len()] };
            offered.offer(Signature { module: "env".into(), name: import.name.into(), ty }).unwrap();
        }
        let policy = policy(STACKS[0]);
        for seed in 0..1_000 {
            let (wasm, shapes) = module(seed);
            if let Err(error) = admit(&wasm, &policy, &offered, &Contract::None) {
                panic!("seed {seed}, {shapes:?}: {error}");
            }
        }
    }
}
