//! Pointers and lengths that a guest passes to a host function.

use hotcell_core::{Contract, HostOptions, Loader, Policy, Value};

use crate::Numbers;
use hotcell_conformance::{BackendUnderTest, Failure};

/// Boundaries of a memory of one or two pages.
const EDGES: [u32; 18] = [
    0,
    1,
    2,
    7,
    8,
    100,
    65_535,
    65_536,
    65_537,
    131_071,
    131_072,
    131_073,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_0000,
    0xffff_fffe,
    0xffff_ffff,
];

/// A guest that passes a pointer and a length to the host, which reads or writes there and reports the result.
const GUEST: &str = r#"(module
    (import "env" "read" (func $read (param i32 i32) (result i32)))
    (import "env" "write" (func $write (param i32 i32)))
    (memory (export "memory") 1 2)
    (func (export "read") (param i32 i32) (result i32) (call $read (local.get 0) (local.get 1)))
    (func (export "write") (param i32 i32) (call $write (local.get 0) (local.get 1)))
    (func (export "grow") (drop (memory.grow (i32.const 1)))))"#;

/// A host function can read and write exactly the guest's memory.
///
/// # Errors
///
/// It could access more or less, or a failed write wrote something.
pub fn host_arguments<B: BackendUnderTest>(seed: u64) -> Result<(), Failure> {
    let mut numbers = Numbers::new(seed);
    let policy = Policy::default().with(|rules| rules.abi = None)?;
    let loader = Loader::<B>::new(policy, &HostOptions::default(), &B::Options::default())?;
    let mut imports = loader.imports::<()>();
    imports.func("env", "read", |cx, (pointer, length): (u32, u32)| {
        Ok(cx.read(pointer, length)?.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte))))
    })?;
    imports.func("env", "write", |cx, (pointer, length): (u32, u32)| {
        // Limits the host's allocation.
        let length = length.min(200_000);
        Ok(cx.write(pointer, &vec![1; length as usize])?)
    })?;
    let plugin = loader.load(&wat::parse_str(GUEST)?, &imports, &Contract::None)?;
    for _ in 0..60 {
        let mut session = plugin.session(())?;
        if numbers.once_in(2) {
            session.call_values("grow", &[])?;
        }
        let size = session.memory().len() as u64;
        let near = numbers.below(4) as u32;
        let [pointer, length] = [numbers.pick(&EDGES), numbers.pick(&EDGES)].map(|edge| edge.wrapping_sub(near));
        let arguments = [Value::I32(pointer.cast_signed()), Value::I32(length.cast_signed())];
        let fits = |length: u32| u64::from(pointer) + u64::from(length) <= size;
        let wrong = |what: String| Failure::new(format!("seed {seed}, {length} bytes at {pointer} of {size}: {what}"));
        match session.call_values("write", &arguments) {
            Ok(_) if fits(length.min(200_000)) => {}
            Err(fault) if fault.code() == "host-function" && !fits(length.min(200_000)) => {
                if session.memory().iter().any(|byte| *byte != 0) {
                    return Err(wrong("a write that failed wrote something".into()));
                }
                session = plugin.session(())?;
                if size > 65_536 {
                    session.call_values("grow", &[])?;
                }
            }
            outcome => return Err(wrong(format!("write: {outcome:?}"))),
        }
        match session.call_values("read", &arguments) {
            Ok(sum) if fits(length) && sum == [Value::I32(length.cast_signed())] => {}
            Err(fault) if fault.code() == "host-function" && !fits(length) => {}
            outcome => return Err(wrong(format!("read: {outcome:?}"))),
        }
    }
    Ok(())
}
