//! Admission allocates in proportion to the bytes of a module, not to the counts that it declares.

#![expect(unsafe_code, reason = "counting allocations takes an allocator, and that is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    path::Path,
};

use hotcell::{Contract, Policy, Preset, Rules, admit};
use wasm_encoder::{CodeSection, Encode, FunctionSection, Module, RawSection, SectionId, TypeSection};

use hotcell_conformance::modules::{GENERATORS, cap, first, offered};

/// Bytes that admission may allocate for each byte of a module, whatever it declares.
const PER_BYTE: usize = 8;
/// The same for a module that contains what it declares: an open block is two bytes or three, and takes 250 here, twice while
/// there is more room made for them; a type is three, an export four.
const PER_BYTE_OF_CONTENT: usize = 256;
/// Bytes that it may allocate in addition.
const BASE: usize = 256 << 10;
/// And for the values of the largest body of a real plugin.
const BASE_OF_BODIES: usize = 1 << 20;

/// Truncations of a real plugin.
const TRUNCATIONS: usize = 200;

#[test]
fn declared_counts_allocate_nothing() {
    let mut wrong = Vec::new();
    for count in [u32::MAX, u32::MAX - 2, 1 << 28, 1_000_000, 65_519, 30_000, 10_000, 1_000, 10] {
        for (what, module) in declarations(count) {
            for preset in Preset::ALL {
                let policy = Policy::new(Rules::preset(preset)).unwrap();
                wrong
                    .extend(excess(&module, &policy, PER_BYTE, BASE).map(|excess| format!("{count} {what}: {excess}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_plugin_cut_anywhere_allocates_little() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/markdown.wasm");
    let plugin = fs::read(path).unwrap();
    let mut wrong = Vec::new();
    for index in 0..=TRUNCATIONS {
        let head = &plugin[..plugin.len() * index / TRUNCATIONS];
        wrong.extend(excess(head, &Policy::strict(), PER_BYTE, BASE_OF_BODIES));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_at_a_cap_allocates_in_proportion() {
    let mut wrong = Vec::new();
    for preset in [Preset::Embedded, Preset::Strict, Preset::Default] {
        let policy = Policy::new(Rules::preset(preset)).unwrap();
        for (key, word, build) in GENERATORS {
            let (_, module) = first((0..=cap(&policy, key)).rev(), *build, &policy).unwrap();
            wrong.extend(
                excess(&module, &policy, PER_BYTE_OF_CONTENT, BASE).map(|excess| format!("{key} {word}: {excess}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The excess of admission's allocations, if any.
fn excess(module: &[u8], policy: &Policy, per_byte: usize, base: usize) -> Option<String> {
    let offered = offered(policy);
    let peak = peak(|| drop(admit(module, policy, &offered, &Contract::None)));
    let (preset, length) = (policy.rules().preset.name(), module.len());
    let allowed = per_byte * length + base;
    (peak > allowed).then(|| format!("{preset}: {length} bytes of input allocate {peak}, {allowed} are allowed"))
}

/// Modules that declare `count` of something and end there.
fn declarations(count: u32) -> Vec<(&'static str, Vec<u8>)> {
    use SectionId::*;
    let in_sections: &[(&str, SectionId, &[u8])] = &[
        ("bytes of a custom section's name", Custom, &[]),
        ("types", Type, &[]),
        ("types of a group", Type, &[1, 0x4e]),
        ("supertypes", Type, &[1, 0x50]),
        ("parameters", Type, &[1, 0x60]),
        ("results", Type, &[1, 0x60, 0]),
        ("fields", Type, &[1, 0x5f]),
        ("imports", Import, &[]),
        ("bytes of an import's module", Import, &[1]),
        ("bytes of an import's name", Import, &[1, 1, b'm']),
        ("functions", Function, &[]),
        ("tables", Table, &[]),
        ("memories", Memory, &[]),
        ("tags", Tag, &[]),
        ("globals", Global, &[]),
        ("exports", Export, &[]),
        ("bytes of an export's name", Export, &[1]),
        ("element segments", Element, &[]),
        ("functions of a segment", Element, &[1, 1, 0]),
        ("expressions of a segment", Element, &[1, 5, 0x70]),
        ("announced data segments", DataCount, &[]),
        ("bodies", Code, &[]),
        ("bytes of a body", Code, &[1]),
        ("data segments", Data, &[]),
        ("bytes of a data segment", Data, &[1, 1]),
    ];
    let in_bodies: &[(&str, &[u8])] = &[
        ("groups of locals", &[]),
        ("locals", &[1]),
        ("targets of a br_table", &[0, 0x41, 0, 0x0e]),
        ("types of a select", &[0, 0x1c]),
        ("catches", &[0, 0x1f, 0x40]),
        ("handlers", &[0, 0xe3, 0]),
    ];
    let sections = in_sections.iter().map(|(what, id, before)| {
        let mut module = Module::new();
        module.section(&raw(*id, &declaration(before, count)));
        (*what, module.finish())
    });
    let bodies = in_bodies.iter().map(|(what, before)| {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut module = Module::new();
        module.section(&types).section(FunctionSection::new().function(0));
        module.section(CodeSection::new().raw(&declaration(before, count)));
        (*what, module.finish())
    });
    sections.chain(bodies).collect()
}

fn declaration(before: &[u8], count: u32) -> Vec<u8> {
    let mut bytes = before.to_vec();
    count.encode(&mut bytes);
    bytes
}

fn raw(id: SectionId, data: &[u8]) -> RawSection<'_> {
    RawSection { id: id.into(), data }
}

/// Counts the allocations of this thread: the test harness has threads of its own.
struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn allocated(bytes: usize) {
    LIVE.set(LIVE.get().wrapping_add(bytes));
    PEAK.set(PEAK.get().max(LIVE.get()));
}

fn freed(bytes: usize) {
    LIVE.set(LIVE.get().wrapping_sub(bytes));
}

// SAFETY: every call is forwarded to the system's allocator. `realloc` is the default: allocate, copy, free, which also
// counts both copies.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: the caller guarantees it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        freed(layout.size());
        // SAFETY: the caller guarantees it.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The maximum bytes that `f` had allocated at once.
fn peak(f: impl FnOnce()) -> usize {
    // Starts in the middle, so that freeing earlier allocations does not go below zero.
    let before = usize::MAX / 2;
    LIVE.set(before);
    PEAK.set(before);
    f();
    PEAK.get() - before
}
