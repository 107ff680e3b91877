//! A generator of modules that stress a rewrite and an interpreter's translator: runs of `local.get`s under branches
//! with several values, loops that end and loops that do not, bulk operators with lengths at every boundary, deep and
//! mutual recursion, unreachable code of every shape, NaNs with payloads, host calls.

mod body;
mod operators;

use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, MemoryType,
    Module, RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};

use self::body::body;
use super::{
    host::{AGAIN, IMPORTS},
    numbers::Numbers,
};

/// Maximum number of values of a block, a branch or a function: the cap of every policy.
const MOST_RESULTS: u64 = 3;

/// Maximum number of parameters of a function: the cap of the strict policy.
const MOST_PARAMS: u64 = 64;

/// The kinds of code that a generated module may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Scalar floats.
    pub floats: bool,
    /// 128-bit vectors.
    pub vectors: bool,
    /// Tables that change, references as values, passive segments.
    pub references: bool,
    /// `return_call` and `return_call_indirect`.
    pub tail_calls: bool,
    /// A `start` function.
    pub start: bool,
    /// A memory and tables with 64-bit indices.
    pub memory64: bool,
    /// Pages of one byte.
    pub byte_pages: bool,
}

impl Kinds {
    /// Integers, one memory, a table that does not change.
    pub const INTEGERS: Self = Self {
        floats: false,
        vectors: false,
        references: false,
        tail_calls: false,
        start: false,
        memory64: false,
        byte_pages: false,
    };

    /// The subset of these kinds that the [reference interpreter](super::reference) supports.
    #[must_use]
    pub fn integers(self) -> Self {
        Self { memory64: self.memory64, byte_pages: self.byte_pages, ..Self::INTEGERS }
    }

    /// Whether the [reference interpreter](super::reference) supports them.
    pub fn are_integers(self) -> bool {
        self == self.integers()
    }

    fn any(numbers: &mut Numbers) -> Self {
        let floats = !numbers.once_in(3);
        Self {
            floats,
            vectors: floats && numbers.once_in(2),
            references: numbers.once_in(2),
            tail_calls: numbers.once_in(4),
            start: numbers.once_in(10),
            ..Self::INTEGERS
        }
    }
}

/// The module of `seed`, with any of the `allowed` kinds.
pub fn module(seed: u64, allowed: Kinds) -> (Vec<u8>, Kinds) {
    let mut numbers = Numbers::new(seed);
    let any = Kinds::any(&mut numbers);
    let kinds = Kinds {
        floats: any.floats && allowed.floats,
        vectors: any.vectors && allowed.vectors,
        references: any.references && allowed.references,
        tail_calls: any.tail_calls && allowed.tail_calls,
        start: any.start && allowed.start,
        // No number is drawn when they are not allowed: the other modules stay the same.
        memory64: allowed.memory64 && !numbers.once_in(4),
        byte_pages: allowed.byte_pages && !numbers.once_in(4),
    };
    (Plan::new(kinds, &mut numbers).module(&mut numbers), kinds)
}

/// Every operator on one type that neither traps nor has side effects.
pub(super) fn invariant(ty: ValType) -> Vec<Instruction<'static>> {
    let families = [operators::INTEGERS, operators::FLOATS, operators::VECTORS].into_iter().flatten();
    let unary = families.filter(|family| family.params == [ty] && family.result == ty && !family.traps);
    unary.flat_map(|family| family.operators.iter().cloned()).collect()
}

/// Parameters and results.
type Type = (Vec<ValType>, Vec<ValType>);

/// The declarations of a module, known before its bodies are written.
struct Plan {
    kinds: Kinds,
    types: Vec<Type>,
    /// Names of the imported functions.
    imports: Vec<&'static str>,
    /// Index of the type of every function, imported ones first.
    functions: Vec<u32>,
    /// Type and whether it can be set. The first is an i32 that recursion counts down.
    globals: Vec<(ValType, bool)>,
    memory: (u64, Option<u64>),
    tables: Vec<(u64, Option<u64>)>,
    /// Whether the tables have 64-bit indices.
    tables64: Vec<bool>,
    /// Functions in the first table.
    table: Vec<u32>,
    passive_data: Vec<usize>,
    passive_elements: Vec<usize>,
    /// Approximate number of operators of a body.
    operators: u64,
}

impl Plan {
    fn new(kinds: Kinds, numbers: &mut Numbers) -> Self {
        let mut plan = Self {
            kinds,
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            globals: vec![(ValType::I32, true)],
            memory: (numbers.pick(&[0, 1, 1, 1, 1, 1, 2, 2]), numbers.pick(&[None, Some(2), Some(3), Some(65_536)])),
            tables: vec![(numbers.below(20), numbers.pick(&[None, Some(20), Some(30)]))],
            tables64: Vec::new(),
            table: Vec::new(),
            passive_data: Vec::new(),
            passive_elements: Vec::new(),
            operators: if numbers.once_in(50) { 6_000 } else { 10 + numbers.below(120) },
        };
        if numbers.once_in(3) {
            for import in IMPORTS {
                let has_floats = import.params.iter().chain(import.results).any(|ty| *ty == ValType::F64);
                if (has_floats && !kinds.floats) || (import.name == AGAIN && kinds.are_integers()) {
                    continue;
                }
                plan.imports.push(import.name);
                let ty = plan.ty(import.params.to_vec(), import.results.to_vec());
                plan.functions.push(ty);
            }
        }
        // The first one is called back by a host function.
        let again = plan.ty(vec![ValType::I32], vec![ValType::I32]);
        plan.functions.push(again);
        for _ in 0..numbers.below(6) {
            let most = if numbers.once_in(30) { MOST_PARAMS } else { 5 };
            let (params, results) = (plan.value_types(numbers, most), plan.value_types(numbers, MOST_RESULTS));
            let ty = plan.ty(params, results);
            plan.functions.push(ty);
        }
        for _ in 0..numbers.below(5) {
            let ty = plan.value_type(numbers);
            plan.globals.push((ty, !numbers.once_in(4)));
        }
        if kinds.references {
            if numbers.once_in(3) {
                plan.tables.push((numbers.below(5), Some(5 + numbers.below(100))));
            }
            plan.passive_data = (0..numbers.below(3)).map(|_| numbers.pick(&[0, 1, 16, 100])).collect();
            plan.passive_elements = (0..1 + numbers.below(2)).map(|_| numbers.below(9) as usize).collect();
        }
        plan.tables64 = plan.tables.iter().map(|_| kinds.memory64 && !numbers.once_in(4)).collect();
        if kinds.byte_pages {
            let minimum = numbers.pick(&[0, 100, 65_535, 65_536, 65_537, 70_000, 131_072]);
            plan.memory = (minimum, numbers.pick(&[None, Some(70_001), Some(200_000), Some(u32::MAX.into())]));
        }
        let functions = plan.functions.len() as u64;
        // Sometimes the table is larger than its contents.
        let filled = plan.tables[0].0.saturating_sub(numbers.pick(&[0, 0, 0, 2]));
        plan.table = (0..filled).map(|_| numbers.below(functions) as u32).collect();
        plan
    }

    fn value_type(&self, numbers: &mut Numbers) -> ValType {
        use ValType::{F32, F64, I32, I64, V128};
        match (self.kinds.vectors, self.kinds.floats) {
            (true, _) => numbers.pick(&[I32, I32, I64, F32, F64, V128, V128]),
            (_, true) => numbers.pick(&[I32, I32, I64, F32, F64]),
            _ => numbers.pick(&[I32, I32, I64]),
        }
    }

    /// At most `most` types.
    fn value_types(&self, numbers: &mut Numbers, most: u64) -> Vec<ValType> {
        (0..numbers.below(most + 1)).map(|_| self.value_type(numbers)).collect()
    }

    /// Index of a type, which is added if it is new.
    fn ty(&mut self, params: Vec<ValType>, results: Vec<ValType>) -> u32 {
        let ty = (params, results);
        let index = self.types.iter().position(|known| *known == ty).unwrap_or_else(|| {
            self.types.push(ty);
            self.types.len() - 1
        });
        index as u32
    }

    fn function_type(&self, function: u32) -> Type {
        self.types[self.functions[function as usize] as usize].clone()
    }

    /// The type of the memory's indices.
    fn memory_index(&self) -> ValType {
        if self.kinds.memory64 { ValType::I64 } else { ValType::I32 }
    }

    /// The type of a table's indices.
    fn table_index(&self, table: u32) -> ValType {
        if self.tables64[table as usize] { ValType::I64 } else { ValType::I32 }
    }

    fn defined(&self) -> std::ops::Range<u32> {
        self.imports.len() as u32..self.functions.len() as u32
    }

    fn module(mut self, numbers: &mut Numbers) -> Vec<u8> {
        let start = self.kinds.start.then(|| self.ty(Vec::new(), Vec::new()));
        self.functions.extend(start);
        // Bodies first: they determine the types of blocks.
        let mut code = CodeSection::new();
        for function in self.defined() {
            code.raw(&body(&mut self, numbers, function));
        }
        let mut module = Module::new();
        module.section(&self.type_section()).section(&self.import_section()).section(&self.function_section());
        module.section(&self.table_section()).section(&self.memory_section()).section(&self.global_section(numbers));
        module.section(&self.export_section());
        if start.is_some() {
            module.section(&StartSection { function_index: self.functions.len() as u32 - 1 });
        }
        module.section(&self.element_section(numbers));
        let data = self.data_section(numbers);
        if self.kinds.references {
            module.section(&DataCountSection { count: data.len() });
        }
        module.section(&code).section(&data);
        module.finish()
    }

    fn type_section(&self) -> TypeSection {
        let mut types = TypeSection::new();
        for (params, results) in &self.types {
            types.ty().function(params.iter().copied(), results.iter().copied());
        }
        types
    }

    fn import_section(&self) -> ImportSection {
        let mut imports = ImportSection::new();
        for (name, ty) in self.imports.iter().zip(&self.functions) {
            imports.import("env", name, EntityType::Function(*ty));
        }
        imports
    }

    fn function_section(&self) -> FunctionSection {
        let mut functions = FunctionSection::new();
        for ty in &self.functions[self.imports.len()..] {
            functions.function(*ty);
        }
        functions
    }

    fn table_section(&self) -> TableSection {
        let mut tables = TableSection::new();
        for ((minimum, maximum), table64) in self.tables.iter().copied().zip(self.tables64.iter().copied()) {
            let element_type = RefType::FUNCREF;
            let maximum = maximum.map(|maximum| maximum.max(minimum));
            tables.table(TableType { element_type, minimum, maximum, table64, shared: false });
        }
        tables
    }

    fn memory_section(&self) -> MemorySection {
        let (minimum, maximum) = (self.memory.0, self.memory.1.map(|maximum| maximum.max(self.memory.0)));
        let page_size_log2 = self.kinds.byte_pages.then_some(0);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum, maximum, memory64: self.kinds.memory64, shared: false, page_size_log2 });
        memories
    }

    fn global_section(&self, numbers: &mut Numbers) -> GlobalSection {
        let mut globals = GlobalSection::new();
        for (index, (val_type, mutable)) in self.globals.iter().copied().enumerate() {
            let number = numbers.number();
            let init = match val_type {
                ValType::I32 if index == 0 => ConstExpr::i32_const(numbers.pick(&[0, 1, 5, 30, 300, 5_000])),
                ValType::I32 => ConstExpr::i32_const(number as i32),
                ValType::I64 => ConstExpr::i64_const(number.cast_signed()),
                ValType::F32 => ConstExpr::f32_const(f32::from_bits(number as u32).into()),
                ValType::F64 => ConstExpr::f64_const(f64::from_bits(number).into()),
                _ => ConstExpr::v128_const(i128::from(number.cast_signed()) << 40),
            };
            globals.global(GlobalType { val_type, mutable, shared: false }, &init);
        }
        globals
    }

    fn export_section(&self) -> ExportSection {
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0).export("table", ExportKind::Table, 0);
        exports.export(AGAIN, ExportKind::Func, self.imports.len() as u32);
        for function in self.defined() {
            exports.export(&format!("f{function}"), ExportKind::Func, function);
        }
        for global in 0..self.globals.len() as u32 {
            exports.export(&format!("g{global}"), ExportKind::Global, global);
        }
        exports
    }

    fn element_section(&self, numbers: &mut Numbers) -> ElementSection {
        let mut segments = ElementSection::new();
        let count = self.functions.len() as u64;
        let mut functions = |length: usize| (0..length).map(|_| numbers.below(count) as u32).collect::<Vec<_>>();
        segments.active(None, &offset(self.table_index(0), 0), Elements::Functions(self.table.as_slice().into()));
        for length in &self.passive_elements {
            segments.passive(Elements::Functions(functions(*length).into()));
        }
        // So that `ref.func` may name every function.
        segments.declared(Elements::Functions((0..count as u32).collect()));
        segments
    }

    fn data_section(&self, numbers: &mut Numbers) -> DataSection {
        let mut segments = DataSection::new();
        for length in &self.passive_data {
            segments.passive(numbers.bytes(*length));
        }
        if self.memory.0 > 0 && !numbers.once_in(3) {
            // Rarely, it reaches past the end.
            let end = if self.kinds.byte_pages { self.memory.0 - 6 } else { 65_530 * self.memory.0 };
            let places = if self.kinds.byte_pages { end.saturating_sub(60).max(1) } else { 60_000 };
            let at = if numbers.once_in(40) { end } else { numbers.below(places) };
            let length = numbers.below(60) as usize;
            segments.active(0, &offset(self.memory_index(), at), numbers.bytes(length));
        }
        segments
    }
}

/// The offset of a segment.
fn offset(index: ValType, at: u64) -> ConstExpr {
    match index {
        ValType::I64 => ConstExpr::i64_const(at.cast_signed()),
        _ => ConstExpr::i32_const(at as i32),
    }
}

#[cfg(test)]
mod tests {
    use hotcell_core::{Policy, Proposal, admit::summarize};

    use super::*;

    #[test]
    fn every_module_is_admitted() {
        let policy = Policy::default()
            .with(|rules| {
                for proposal in [Proposal::TailCall, Proposal::Memory64, Proposal::CustomPageSizes] {
                    rules.proposals.allow(proposal);
                }
                rules.module.start = true;
            })
            .unwrap();
        let usual =
            Kinds { floats: true, vectors: true, references: true, tail_calls: true, start: true, ..Kinds::INTEGERS };
        let wide = Kinds { memory64: true, byte_pages: true, ..usual };
        let mut sizes = Vec::new();
        for seed in 0..2_000 {
            for kinds in [usual, Kinds::INTEGERS, wide, wide.integers()] {
                let bytes = module(seed, kinds).0;
                assert_eq!(bytes, module(seed, kinds).0);
                summarize(&bytes, &policy).unwrap_or_else(|error| panic!("seed {seed}, {kinds:?}: {error}"));
                sizes.push(bytes.len());
            }
        }
        sizes.sort_unstable();
        let most = sizes.iter().filter(|size| (50..=2_000).contains(*size)).count();
        assert!(most * 4 >= sizes.len() * 3, "most modules are small: half of them below {}", sizes[sizes.len() / 2]);
        assert!(sizes[sizes.len() - 1] > 20_000, "and some large: {}", sizes[sizes.len() - 1]);
    }
}
