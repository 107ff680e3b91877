//! The parts of the generated guests: a well-behaved module to which a bomb is added, and a gzip writer.

use wasm_encoder::{
    CodeSection, CustomSection, DataCountSection, DataSection, ElementSection, Encode, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, InstructionSink, MemorySection, MemoryType,
    Module, RawSection, RefType, SectionId, TableSection, TableType, TypeSection, ValType,
};

/// The type `() -> ()` of every [`Guest`].
pub(crate) const NO_ARGUMENTS: u32 = 3;

/// A module with the contract's four exports. By default it replies with its input.
pub(crate) struct Guest {
    types: TypeSection,
    functions: FunctionSection,
    code: CodeSection,
    pub(crate) imports: ImportSection,
    pub(crate) tables: TableSection,
    pub(crate) memory: MemoryType,
    pub(crate) globals: GlobalSection,
    pub(crate) elements: ElementSection,
    pub(crate) data_count: Option<u32>,
    pub(crate) data: DataSection,
}

impl Guest {
    /// The echo guest.
    pub(crate) fn new() -> Self {
        Self::with_process(|code| {
            code.local_get(0).i64_extend_i32_u().i64_const(32).i64_shl().local_get(1).i64_extend_i32_u().i64_or();
        })
    }

    /// A guest with another body of `process`: `(i32, i32) -> i64`.
    pub(crate) fn with_process(process: impl FnOnce(&mut InstructionSink<'_>)) -> Self {
        let mut guest = Self {
            types: TypeSection::new(),
            functions: FunctionSection::new(),
            code: CodeSection::new(),
            imports: ImportSection::new(),
            tables: TableSection::new(),
            memory: memory(1, 16),
            globals: GlobalSection::new(),
            elements: ElementSection::new(),
            data_count: None,
            data: DataSection::new(),
        };
        let version = guest.signature([], [ValType::I32]);
        let alloc = guest.signature([ValType::I32], [ValType::I32]);
        let entry = guest.signature([ValType::I32, ValType::I32], [ValType::I64]);
        let none = guest.signature([], []);
        debug_assert_eq!(none, NO_ARGUMENTS);

        guest.function(
            version,
            &function(&[], |code| {
                code.i32_const(1);
            }),
        );
        guest.function(
            alloc,
            &function(&[], |code| {
                code.i32_const(1024);
            }),
        );
        guest.function(entry, &function(&[], process));
        guest
    }

    /// Adds a function type and returns its index.
    pub(crate) fn signature<P, R>(&mut self, params: P, results: R) -> u32
    where
        P: IntoIterator<Item = ValType, IntoIter: ExactSizeIterator>,
        R: IntoIterator<Item = ValType, IntoIter: ExactSizeIterator>,
    {
        self.types.ty().function(params, results);
        self.types.len() - 1
    }

    /// Adds a function of the type with index `signature`.
    pub(crate) fn function(&mut self, signature: u32, function: &Function) {
        self.functions.function(signature);
        self.code.function(function);
    }

    /// The binary, without empty sections.
    pub(crate) fn finish(self) -> Vec<u8> {
        let first = self.imports.len();
        let mut exports = ExportSection::new();
        exports
            .export("memory", ExportKind::Memory, 0)
            .export("__hotcell_abi_version", ExportKind::Func, first)
            .export("alloc", ExportKind::Func, first + 1)
            .export("process", ExportKind::Func, first + 2);

        let mut module = Module::new();
        module.section(&self.types);
        if !self.imports.is_empty() {
            module.section(&self.imports);
        }
        module.section(&self.functions);
        if !self.tables.is_empty() {
            module.section(&self.tables);
        }
        module.section(MemorySection::new().memory(self.memory));
        if !self.globals.is_empty() {
            module.section(&self.globals);
        }
        module.section(&exports);
        if !self.elements.is_empty() {
            module.section(&self.elements);
        }
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        module.section(&self.code);
        if !self.data.is_empty() {
            module.section(&self.data);
        }
        module.finish()
    }
}

/// A 32-bit memory of `minimum` to `maximum` pages.
pub(crate) fn memory(minimum: u64, maximum: u64) -> MemoryType {
    MemoryType { minimum, maximum: Some(maximum), memory64: false, shared: false, page_size_log2: None }
}

/// A function with these groups of locals. `write` writes the instructions; the final `end` is appended.
pub(crate) fn function(locals: &[(u32, ValType)], write: impl FnOnce(&mut InstructionSink<'_>)) -> Function {
    let mut function = Function::new(locals.iter().copied());
    let mut code = function.instructions();
    write(&mut code);
    code.end();
    function
}

/// A type section with `() -> ()`.
pub(crate) fn empty_type() -> TypeSection {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types
}

/// A section of any bytes.
pub(crate) fn raw(id: SectionId, data: &[u8]) -> RawSection<'_> {
    RawSection { id: id.into(), data }
}

/// A custom section.
pub(crate) fn custom<'a>(name: &'a str, data: &'a [u8]) -> CustomSection<'a> {
    CustomSection { name: name.into(), data: data.into() }
}

/// A table of `minimum` functions.
pub(crate) fn table(minimum: u64) -> TableType {
    TableType { element_type: RefType::FUNCREF, table64: false, minimum, maximum: None, shared: false }
}

/// The type of a global.
pub(crate) fn global(val_type: ValType, mutable: bool) -> GlobalType {
    GlobalType { val_type, mutable, shared: false }
}

/// `value` as an unsigned LEB128 number.
pub(crate) fn leb(value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// Compresses `head` and then `zeros` zero bytes into one gzip member.
pub(crate) fn gzip(head: &[u8], zeros: u32) -> Vec<u8> {
    const LONGEST_MATCH: u32 = 258;

    let mut bits = BitWriter { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], used: 8 };
    // One final block of fixed Huffman codes.
    bits.put(0b110, 3);
    // The first zero is a literal that the matches repeat.
    let repeated = zeros.saturating_sub(1);
    let rest = std::iter::repeat_n(&0, (zeros.min(1) + repeated % LONGEST_MATCH) as usize);
    for &byte in head.iter().chain(rest) {
        match u32::from(byte) {
            literal @ 0..=143 => bits.put(0x30 + literal, 8),
            literal => bits.put(0x190 + literal - 144, 9),
        }
    }
    for _ in 0..repeated / LONGEST_MATCH {
        bits.put(0xc5, 8); // length 258
        bits.put(0, 5); // distance 1
    }
    bits.put(0, 7); // end of block

    let mut bytes = bits.bytes;
    bytes.extend(crc32(head, zeros).to_le_bytes());
    bytes.extend((head.len() as u32 + zeros).to_le_bytes());
    bytes
}

/// Packs Huffman codes, first bit of a code first, into bytes from the lowest bit up.
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    fn put(&mut self, code: u32, length: u32) {
        for position in (0..length).rev() {
            if self.used == 8 {
                self.bytes.push(0);
                self.used = 0;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((code >> position & 1) as u8) << self.used;
            }
            self.used += 1;
        }
    }
}

/// The checksum of gzip, of `head` and then `zeros` zero bytes.
fn crc32(head: &[u8], zeros: u32) -> u32 {
    let mut crc = u32::MAX;
    for &byte in head {
        crc = shift(crc ^ u32::from(byte));
    }
    for _ in 0..zeros {
        crc = shift(crc);
    }
    !crc
}

/// Updates the checksum's register with one byte.
fn shift(crc: u32) -> u32 {
    (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
}
