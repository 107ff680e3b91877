//! Hostile guests that are too large or too malformed to be written as text.
//!
//! Each builder makes one module at its hostile size. `table.toml` has the verdict it must get.

use std::iter::repeat_n;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Elements, Encode, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, InstructionSink, MemArg, MemorySection, Module, Section, SectionId, ValType,
};

use super::builder::{Guest, NO_ARGUMENTS, custom, empty_type, function, global, gzip, leb, memory, raw, table};

/// The id and the builder of a generated guest.
pub(crate) type Bomb = (&'static str, fn() -> Vec<u8>);

/// Every generated guest.
pub(crate) const BOMBS: &[Bomb] = &[
    ("001-empty-file", empty_file),
    ("002-magic-only", magic_only),
    ("004-text-as-module", text_as_module),
    ("005-trailing-garbage", trailing_garbage),
    ("007-leb-padded-valid", leb_padded_valid),
    ("008-leb-6-bytes", leb_6_bytes),
    ("010-func-count-268m", func_count_268m),
    ("011-br-table-count-4g", br_table_count_4g),
    ("013-data-len-4g", data_len_4g),
    ("014-string-len-4g", string_len_4g),
    ("016-section-twice", section_twice),
    ("017-truncated-body", truncated_body),
    ("019-custom-64mib", custom_64mib),
    ("020-custom-100k", custom_100k),
    ("022-gzip-module", gzip_module),
    ("023-cwasm-elf", cwasm_elf),
    ("025-data-count-mismatch", data_count_mismatch),
    ("026-code-count-mismatch", code_count_mismatch),
    ("028-name-100k", name_100k),
    ("029-dwarf-garbage-trap", dwarf_garbage_trap),
    ("031-locals-50k", locals_50k),
    ("032-locals-total-50m", locals_total_50m),
    ("034-results-1000x2k", results_1000x2k),
    ("035-nest-100k", nest_100k),
    ("037-empty-loops-20k", empty_loops_20k),
    ("038-br-table-1m", br_table_1m),
    ("040-rem-chain-100k", rem_chain_100k),
    ("041-add-chain-80k", add_chain_80k),
    ("043-const-expr-1m", const_expr_1m),
    ("044-globals-1m", globals_1m),
    ("046-elem-segs-100k", elem_segs_100k),
    ("047-elem-1m-entries", elem_1m_entries),
    ("049-types-wide-5k", types_wide_5k),
    ("050-imports-200k", imports_200k),
    ("052-memories-100", memories_100),
    ("053-signatures-20k", signatures_20k),
    ("055-regalloc-live-2000", regalloc_live_2000),
    ("056-operand-stack-60k", operand_stack_60k),
    ("058-if-ladder-40k", if_ladder_40k),
    ("059-loads-50k", loads_50k),
    ("061-ssa-loop-phis", ssa_loop_phis),
    ("062-tiny-funcs-with-loops-50k", tiny_funcs_with_loops_50k),
    ("064-tables-100", tables_100),
    ("065-data-8mb-overlap", data_8mb_overlap),
    ("067-memory-init-dense-sparse", memory_init_dense_sparse),
    ("068-ssa-seq-loops", ssa_seq_loops),
    ("160-export-import-200-names", export_import_200_names),
];

/// The module of the generated guest `id`, such as `"001-empty-file"`; `None` for any other id.
pub(crate) fn bomb(id: &str) -> Option<Vec<u8>> {
    let (_, build) = BOMBS.iter().find(|(name, _)| *name == id)?;
    Some(build())
}

/// An empty file.
fn empty_file() -> Vec<u8> {
    Vec::new()
}

/// A header cut after the magic.
fn magic_only() -> Vec<u8> {
    b"\0asm".to_vec()
}

/// Text, which some loaders would assemble.
fn text_as_module() -> Vec<u8> {
    b"(module (memory 65536))".to_vec()
}

/// Junk after the last section.
fn trailing_garbage() -> Vec<u8> {
    let mut bytes = Guest::new().finish();
    bytes.extend([0xde, 0xad, 0xbe, 0xef]);
    bytes
}

/// A section size in five bytes where one would do. That is legal.
fn leb_padded_valid() -> Vec<u8> {
    after_header(b"\0\x86\x80\x80\x80\0\x05hello")
}

/// A 32-bit section size in six bytes, one more than is legal.
fn leb_6_bytes() -> Vec<u8> {
    after_header(b"\0\x86\x80\x80\x80\x80\0\x05hello")
}

/// A function section of five bytes that declares 2^28 - 1 functions.
fn func_count_268m() -> Vec<u8> {
    let mut module = Module::new();
    module.section(&empty_type());
    module.section(&raw(SectionId::Function, &leb(0x0fff_ffff)));
    module.finish()
}

/// A `br_table` that declares 2^32 - 3 targets: adding a few to the count overflows.
fn br_table_count_4g() -> Vec<u8> {
    let mut function = Function::new([]);
    function.instructions().i32_const(0);
    function.raw([0x0e]).raw(leb(0xffff_fffd)).raw([0, 0x0b]);
    let mut guest = Guest::new();
    guest.function(NO_ARGUMENTS, &function);
    guest.finish()
}

/// A data segment of one byte that declares 4 GiB.
fn data_len_4g() -> Vec<u8> {
    let mut section = vec![1, 0, 0x41, 0, 0x0b];
    section.extend(leb(u32::MAX));
    section.push(b'x');
    let mut bytes = Guest::new().finish();
    raw(SectionId::Data, &section).append_to(&mut bytes);
    bytes
}

/// An export name of one byte that declares 4 GiB.
fn string_len_4g() -> Vec<u8> {
    let mut section = vec![1];
    section.extend(leb(u32::MAX));
    section.push(b'x');
    let mut module = Module::new();
    module.section(&raw(SectionId::Export, &section));
    module.finish()
}

/// Two type sections.
fn section_twice() -> Vec<u8> {
    let mut module = Module::new();
    module.section(&empty_type()).section(&empty_type());
    module.finish()
}

/// A module that ends inside its last function.
fn truncated_body() -> Vec<u8> {
    let mut bytes = Guest::new().finish();
    bytes.truncate(bytes.len() - 3);
    bytes
}

/// 64 MiB in one custom section.
fn custom_64mib() -> Vec<u8> {
    let mut bytes = Guest::new().finish();
    custom("x", &vec![0; 64 << 20]).append_to(&mut bytes);
    bytes
}

/// 100,000 empty custom sections.
fn custom_100k() -> Vec<u8> {
    let mut bytes = Guest::new().finish();
    for _ in 0..100_000 {
        custom("x", &[]).append_to(&mut bytes);
    }
    bytes
}

/// A valid guest with 8 MiB of padding, compressed: for a host that unpacks its input.
fn gzip_module() -> Vec<u8> {
    const PADDING: u32 = 8 << 20;
    let mut head = Guest::new().finish();
    head.push(SectionId::Custom.into());
    head.extend(leb(PADDING + 2));
    "x".encode(&mut head);
    gzip(&head, PADDING)
}

/// The header of an ELF file, as precompiled modules have it. Loading one runs native code.
fn cwasm_elf() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes
}

/// A data count of seven without a data section.
fn data_count_mismatch() -> Vec<u8> {
    let mut guest = Guest::new();
    guest.data_count = Some(7);
    guest.finish()
}

/// Three functions declared, two defined.
fn code_count_mismatch() -> Vec<u8> {
    let empty = function(&[], |_| ());
    let mut module = Module::new();
    module
        .section(&empty_type())
        .section(FunctionSection::new().function(0).function(0).function(0))
        .section(CodeSection::new().function(&empty).function(&empty));
    module.finish()
}

/// An import with names of 100,000 bytes, one of them full of terminal escapes: for error messages that quote it.
fn name_100k() -> Vec<u8> {
    let mut guest = Guest::new();
    let (module, field) = ("\x1b[31m".repeat(19_999), "B".repeat(99_999));
    guest.imports.import(&module, &field, EntityType::Function(NO_ARGUMENTS));
    guest.finish()
}

/// Debug sections of garbage and a trap: symbolication must not read them without bound.
fn dwarf_garbage_trap() -> Vec<u8> {
    let garbage: Vec<u8> = (0..=u8::MAX).cycle().take(64 * 256).collect();
    let guest = Guest::with_process(|code| {
        code.unreachable();
    });
    let mut bytes = guest.finish();
    for name in ["info", "abbrev", "line", "str", "ranges"] {
        custom(&format!(".debug_{name}"), &garbage).append_to(&mut bytes);
    }
    bytes
}

/// 50,000 locals in one function, the engines' maximum.
fn locals_50k() -> Vec<u8> {
    with_function(&[], &[], &[(50_000, ValType::I64)], |_| ())
}

/// 50 million locals in 8 KB: a thousand functions of 50,000.
fn locals_total_50m() -> Vec<u8> {
    let wide = function(&[(50_000, ValType::I64)], |_| ());
    let mut guest = Guest::new();
    for _ in 0..1_000 {
        guest.function(NO_ARGUMENTS, &wide);
    }
    guest.finish()
}

/// 2,000 functions of 1,000 results.
fn results_1000x2k() -> Vec<u8> {
    let mut guest = Guest::new();
    let wide = guest.signature([], repeat_n(ValType::I64, 1_000));
    let unreachable = function(&[], |code| {
        code.unreachable();
    });
    for _ in 0..2_000 {
        guest.function(wide, &unreachable);
    }
    guest.finish()
}

/// 100,000 blocks one inside the other: for anything that recurses over the nesting.
fn nest_100k() -> Vec<u8> {
    with_function(&[], &[], &[], |code| {
        for _ in 0..100_000 {
            code.block(BlockType::Empty);
        }
        for _ in 0..100_000 {
            code.end();
        }
    })
}

/// 20,000 empty loops, each of which gets its own fuel check.
fn empty_loops_20k() -> Vec<u8> {
    with_function(&[], &[], &[], |code| {
        for _ in 0..20_000 {
            code.loop_(BlockType::Empty).end();
        }
    })
}

/// A real `br_table` of a million targets.
fn br_table_1m() -> Vec<u8> {
    with_function(&[], &[], &[], |code| {
        code.block(BlockType::Empty).i32_const(0).br_table(repeat_n(0, 1_000_000), 0).end();
    })
}

/// 100,000 divisions in sequence, each one expensive to lower.
fn rem_chain_100k() -> Vec<u8> {
    with_function(&[ValType::I64; 2], &[ValType::I64], &[], |code| {
        code.local_get(0);
        for _ in 0..100_000 {
            code.local_get(1).i64_rem_s();
        }
    })
}

/// 100,000 additions in sequence: one deep expression, for optimisers that recurse.
fn add_chain_80k() -> Vec<u8> {
    with_function(&[ValType::I32], &[ValType::I32], &[], |code| {
        code.local_get(0);
        for _ in 0..100_000 {
            code.local_get(0).i32_add();
        }
    })
}

/// A global whose initial value takes a million additions, before any fuel is counted.
fn const_expr_1m() -> Vec<u8> {
    let mut sum = ConstExpr::i32_const(1);
    for _ in 0..1_000_000 {
        sum = sum.with_i32_const(1).with_i32_add();
    }
    let mut guest = Guest::new();
    guest.globals.global(global(ValType::I32, false), &sum);
    guest.finish()
}

/// A million mutable globals, written at every instantiation.
fn globals_1m() -> Vec<u8> {
    let mut guest = Guest::new();
    for _ in 0..1_000_000 {
        let zero = ConstExpr::i64_const(0);
        guest.globals.global(global(ValType::I64, true), &zero);
    }
    guest.finish()
}

/// 100,000 active element segments of one entry.
fn elem_segs_100k() -> Vec<u8> {
    let mut guest = Guest::new();
    guest.tables.table(table(1));
    for _ in 0..100_000 {
        let offset = ConstExpr::i32_const(0);
        let entries = Elements::Functions((&[0]).into());
        guest.elements.active(None, &offset, entries);
    }
    guest.finish()
}

/// One passive element segment of a million entries.
fn elem_1m_entries() -> Vec<u8> {
    let mut guest = Guest::new();
    guest.tables.table(table(1));
    let entries = Elements::Functions(vec![0; 1_000_000].into());
    guest.elements.passive(entries);
    guest.finish()
}

/// 5,000 distinct types of 1,000 parameters: costly to compare.
fn types_wide_5k() -> Vec<u8> {
    let mut guest = Guest::new();
    for index in 0..5_000 {
        let (results, narrow) = (index / 1_000, index % 1_000);
        let params = (0..1_000).map(|param| if param < narrow { ValType::I32 } else { ValType::I64 });
        guest.signature(params, repeat_n(ValType::I32, results));
    }
    guest.finish()
}

/// 200,000 imports: for error messages that list them.
fn imports_200k() -> Vec<u8> {
    let mut guest = Guest::new();
    for _ in 0..200_000 {
        let nothing = EntityType::Function(NO_ARGUMENTS);
        guest.imports.import("e", "f", nothing);
    }
    guest.finish()
}

/// 100 memories, each of which may reserve gigabytes of address space.
fn memories_100() -> Vec<u8> {
    let mut memories = MemorySection::new();
    for _ in 0..100 {
        memories.memory(memory(0, 16));
    }
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    let mut module = Module::new();
    module.section(&empty_type());
    module.section(&memories).section(&exports);
    module.finish()
}

/// 20,000 functions of as many types, all in a table: each needs its own host-to-guest trampoline.
fn signatures_20k() -> Vec<u8> {
    const TYPES: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    let empty = function(&[], |_| ());
    let mut guest = Guest::new();
    for index in 0..20_000 {
        let params = (0..8).map(|digit| TYPES[index >> (2 * digit) & 3]);
        let signature = guest.signature(params, []);
        guest.function(signature, &empty);
    }
    guest.tables.table(table(20_000));
    let entries = Elements::Functions((3..20_003).collect());
    let offset = ConstExpr::i32_const(0);
    guest.elements.active(None, &offset, entries);
    guest.finish()
}

/// 2,500 locals that live through a loop of 400 calls: work for the register allocator.
fn regalloc_live_2000() -> Vec<u8> {
    const LOCALS: u32 = 2_500;
    let mix = |code: &mut InstructionSink<'_>, count| {
        for local in 0..count {
            code.local_get(local).local_get((local * 7 + 1) % LOCALS).i64_add().local_set(local);
        }
    };
    with_function(&[], &[], &[(LOCALS, ValType::I64)], |code| {
        code.loop_(BlockType::Empty);
        for _ in 0..4 {
            code.call(0).drop();
            mix(code, LOCALS / 4);
        }
        for _ in 0..400 {
            code.call(0).drop();
        }
        mix(code, LOCALS);
        code.local_get(0).i32_wrap_i64().br_if(0).end();
    })
}

/// 60,000 values on the operand stack at once.
fn operand_stack_60k() -> Vec<u8> {
    with_function(&[ValType::I32], &[], &[], |code| {
        for _ in 0..60_000 {
            code.local_get(0);
        }
        for _ in 0..60_000 {
            code.drop();
        }
    })
}

/// 40,000 conditionals in sequence that write one local.
fn if_ladder_40k() -> Vec<u8> {
    with_function(&[ValType::I32], &[], &[], |code| {
        for _ in 0..40_000 {
            code.local_get(0).if_(BlockType::Empty);
            code.i32_const(1).local_set(0).else_();
            code.i32_const(2).local_set(0).end();
        }
    })
}

/// 50,000 loads and stores at unknown addresses, each with its bounds checks.
fn loads_50k() -> Vec<u8> {
    let at = |offset| MemArg { offset, align: 2, memory_index: 0 };
    with_function(&[ValType::I32], &[], &[], |code| {
        for _ in 0..50_000 {
            code.local_get(0).local_get(0).i32_load(at(4));
            code.i32_store(at(8));
        }
    })
}

/// 500 locals that change inside 500 nested loops: every loop header merges every local.
fn ssa_loop_phis() -> Vec<u8> {
    with_function(&[ValType::I32], &[], &[(500, ValType::I32)], |code| {
        for _ in 0..500 {
            code.loop_(BlockType::Empty);
        }
        for local in 1..=500 {
            code.local_get(local).i32_const(1).i32_add();
            code.local_set(local);
        }
        for _ in 0..500 {
            code.local_get(0).br_if(0).end();
        }
    })
}

/// 50,000 functions with little but a loop: for costs per function and loop.
fn tiny_funcs_with_loops_50k() -> Vec<u8> {
    let tiny = function(&[], |code| {
        code.loop_(BlockType::Empty).i32_const(0).br_if(0).end();
    });
    let mut guest = Guest::new();
    for _ in 0..50_000 {
        guest.function(NO_ARGUMENTS, &tiny);
    }
    guest.finish()
}

/// 100 tables of 100,000 elements: 80 MB of nulls for every instance.
fn tables_100() -> Vec<u8> {
    let mut guest = Guest::new();
    for _ in 0..100 {
        guest.tables.table(table(100_000));
    }
    guest.finish()
}

/// Seven segments of 1 MiB over the same memory: copying that no fuel is charged for.
fn data_8mb_overlap() -> Vec<u8> {
    let mut guest = Guest::new();
    guest.memory = memory(16, 16);
    for _ in 0..7 {
        let offset = ConstExpr::i32_const(0);
        guest.data.active(0, &offset, vec![0x5a; 1 << 20]);
    }
    guest.finish()
}

/// Two bytes of data 1 GiB apart: a memory image must not include everything between them.
fn memory_init_dense_sparse() -> Vec<u8> {
    let mut guest = Guest::new();
    guest.memory = memory(16_385, 16_385);
    guest.data.active(0, &ConstExpr::i32_const(0), *b"x");
    guest.data.active(0, &ConstExpr::i32_const(1 << 30), *b"y");
    guest.finish()
}

/// 500 locals read after 2,400 loops: each read is looked up through every loop header.
fn ssa_seq_loops() -> Vec<u8> {
    with_function(&[ValType::I32], &[], &[(500, ValType::I32)], |code| {
        for local in 1..=500 {
            code.local_get(0).local_set(local);
        }
        for _ in 0..2_400 {
            code.loop_(BlockType::Empty).local_get(0).br_if(0).end();
        }
        for local in 1..=500 {
            code.local_get(local).drop();
        }
    })
}

/// 200 imports that no host offers, with long and distinct names: an error may name only a few.
fn export_import_200_names() -> Vec<u8> {
    let mut guest = Guest::new();
    for index in 0..200 {
        let module = format!("m{index:03}{}", "x".repeat(190));
        let nothing = EntityType::Function(NO_ARGUMENTS);
        guest.imports.import(&module, "f", nothing);
    }
    guest.finish()
}

/// The echo guest with one more function, which is never called.
fn with_function(
    params: &[ValType],
    results: &[ValType],
    locals: &[(u32, ValType)],
    write: impl FnOnce(&mut InstructionSink<'_>),
) -> Vec<u8> {
    let mut guest = Guest::new();
    let signature = guest.signature(params.iter().copied(), results.iter().copied());
    guest.function(signature, &function(locals, write));
    guest.finish()
}

/// The echo guest with `section`, unchanged, before its first section.
fn after_header(section: &[u8]) -> Vec<u8> {
    let mut bytes = Guest::new().finish();
    bytes.splice(8..8, section.iter().copied());
    bytes
}
