//! Bulk operators and tables, with 32-bit and 64-bit indices: effects, costs and traps.

use hotcell_core::{Enforcement, Field, Policy, Proposal, Rules, Session, Value};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Present, ensure, ensure_eq},
    fixture::{plain_plugin, policy, wasm},
    tally,
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    const WIDE: Field = Field::Proposal(Proposal::Memory64);
    vec![
        Check::mandatory(
            "values.bulk",
            "Every bulk operator, and every operator of a table, does what it says.",
            || works::<B>(Index::Narrow),
        ),
        Check::optional(
            WIDE,
            "values.bulk64",
            "Every bulk operator, and every operator of a table, does what it says with 64-bit indices.",
            || works::<B>(Index::Wide),
        ),
        Check::optional(
            WIDE,
            "values.bulk_between",
            "Bytes and elements are copied between objects with 32-bit and with 64-bit indices.",
            between::<B>,
        ),
        Check::mandatory(
            "counters.bulk",
            "A bulk operator costs what its length says, and a growth what it adds; one that is refused adds nothing.",
            || costs::<B>(Index::Narrow),
        ),
        Check::optional(
            WIDE,
            "counters.bulk64",
            "With 64-bit indices a bulk operator and a growth cost the same.",
            || costs::<B>(Index::Wide),
        ),
        Check::mandatory(
            "traps.bulk",
            "A bulk operator that does not stay inside its memory or table is the matching trap, and does nothing.",
            || traps::<B>(Index::Narrow, None),
        ),
        Check::optional(
            WIDE,
            "traps.bulk64",
            "The same with 64-bit indices, up to the largest length and place.",
            || traps::<B>(Index::Wide, None),
        ),
        Check::mandatory(
            "traps.bulk_fuel",
            "It is the trap whatever fuel there is: what cannot be done is not charged.",
            || traps::<B>(Index::Narrow, Some(ALL_OF_IT)),
        ),
        Check::optional(WIDE, "traps.bulk_fuel64", "The same with 64-bit indices.", || {
            traps::<B>(Index::Wide, Some(ALL_OF_IT))
        }),
    ]
}

/// The index width of a guest's memory and table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    Narrow,
    Wide,
}

impl Index {
    fn ty(self) -> &'static str {
        match self {
            Self::Narrow => "i32",
            Self::Wide => "i64",
        }
    }

    fn value(self, index: u64) -> Value {
        match self {
            Self::Narrow => narrow(index),
            Self::Wide => Value::I64(index.cast_signed()),
        }
    }

    /// Boundary values of indices.
    fn far(self) -> &'static [u64] {
        match self {
            Self::Narrow => &[0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff],
            Self::Wide => &[0x8000_0000, 0xffff_ffff, 1 << 32, (1 << 32) + 1, i64::MAX as u64, 1 << 63, u64::MAX],
        }
    }

    /// A policy that allows its proposal.
    fn policy(self, change: impl FnOnce(&mut Rules)) -> Policy {
        policy(|rules| {
            if self == Self::Wide {
                rules.proposals.allow(Proposal::Memory64);
            }
            change(rules);
        })
    }

    fn guest<B: BackendUnderTest>(self, change: impl FnOnce(&mut Rules)) -> Result<Guest<B>, Failure> {
        let module = wasm(&GUEST.replace("INDEX", self.ty()));
        let session = plain_plugin::<B>(self.policy(change), &module)?.session(())?;
        Ok(Guest { index: self, session })
    }
}

fn narrow(index: u64) -> Value {
    Value::I32(index as u32 as i32)
}

const PAGE: u64 = 1 << 16;
/// Fuel that is enough for an operator on the whole memory, but not for a much longer one.
const ALL_OF_IT: u64 = 10_000;

/// A page of memory, a table of ten elements with `$one` and `$two` at 1 and 2, and an export for each operator.
const GUEST: &str = r#"(module
    (type $number (func (result i32)))
    (memory (export "memory") INDEX 1 4)
    (table $t INDEX 10 20 funcref)
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (elem (table $t) (offset (INDEX.const 1)) func $one $two)
    (elem $e func $two $one $two)
    (data $d "0123456789abcdef")
    (func (export "memory.fill") (param INDEX i32 INDEX) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "memory.copy") (param INDEX INDEX INDEX) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "memory.init") (param INDEX i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
    (func (export "memory.grow") (param INDEX) (result INDEX) (memory.grow (local.get 0)))
    (func (export "memory.size") (result INDEX) (memory.size))
    (func (export "load") (param INDEX) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param INDEX i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "table.fill") (param INDEX INDEX) (table.fill $t (local.get 0) (ref.null func) (local.get 1)))
    (func (export "table.fill two") (param INDEX INDEX) (table.fill $t (local.get 0) (ref.func $two) (local.get 1)))
    (func (export "table.copy") (param INDEX INDEX INDEX) (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
    (func (export "table.init") (param INDEX i32 i32) (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
    (func (export "table.grow") (param INDEX) (result INDEX) (table.grow $t (ref.null func) (local.get 0)))
    (func (export "table.size") (result INDEX) (table.size $t))
    (func (export "table.get") (param INDEX) (result i32) (ref.is_null (table.get $t (local.get 0))))
    (func (export "table.set") (param INDEX) (table.set $t (local.get 0) (ref.func $one)))
    (func (export "call_indirect") (param INDEX) (result i32) (call_indirect $t (type $number) (local.get 0))))"#;

/// An instance of [`GUEST`].
struct Guest<B: BackendUnderTest> {
    index: Index,
    session: Session<B>,
}

impl<B: BackendUnderTest> Guest<B> {
    fn call(&mut self, export: &str, params: &[Value]) -> Outcome {
        ensure_eq!(self.session.call_values(export, params)?, [], "{export}");
        Ok(())
    }

    fn indices(&self, indices: &[u64]) -> Vec<Value> {
        indices.iter().map(|index| self.index.value(*index)).collect()
    }

    /// Calls an export whose parameters are all indices.
    fn at(&mut self, export: &str, indices: &[u64]) -> Outcome {
        let params = self.indices(indices);
        self.call(export, &params)
    }

    /// Calls an export whose result is an index.
    fn index_of(&mut self, export: &str, indices: &[u64]) -> Result<u64, Failure> {
        let params = self.indices(indices);
        match self.session.call_values(export, &params)?[..] {
            [Value::I32(index)] if self.index == Index::Narrow => Ok(u64::from(index.cast_unsigned())),
            [Value::I64(index)] if self.index == Index::Wide => Ok(index.cast_unsigned()),
            ref other => Err(Failure::new(format!("{export}: {other:?}"))),
        }
    }

    /// Calls an export whose result is an i32.
    fn number_at(&mut self, export: &str, index: u64) -> Result<i32, Failure> {
        let params = self.indices(&[index]);
        match self.session.call_values(export, &params)?[..] {
            [Value::I32(number)] => Ok(number),
            ref other => Err(Failure::new(format!("{export}: {other:?}"))),
        }
    }

    /// The elements of the table: the result of each function, 0 for null.
    fn elements(&mut self) -> Result<Vec<i32>, Failure> {
        let mut elements = Vec::new();
        for index in 0..self.index_of("table.size", &[])? {
            elements.push(match self.number_at("table.get", index)? {
                1 => 0,
                _ => self.number_at("call_indirect", index)?,
            });
        }
        Ok(elements)
    }
}

fn works<B: BackendUnderTest>(index: Index) -> Outcome {
    let mut guest = index.guest::<B>(|_| ())?;
    let mut expected = vec![0; PAGE as usize];
    let mut is = |guest: &mut Guest<B>, change: &mut dyn FnMut(&mut Vec<u8>), what: &str| -> Outcome {
        change(&mut expected);
        let found = guest.session.memory();
        let first = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        ensure_eq!((found.len(), first), (expected.len(), None), "{what}");
        Ok(())
    };
    for (at, byte, length) in [(10, 7, 100), (0, 1, 1), (PAGE - 6, 9, 6), (PAGE, 1, 0), (40, 0, 15), (5, 0x1ff, 33)] {
        guest.call("memory.fill", &[index.value(at), Value::I32(byte), index.value(length)])?;
        is(&mut guest, &mut |bytes| bytes[at as usize..][..length as usize].fill(byte as u8), "memory.fill")?;
    }
    for (at, from, length) in [(200, 3, 50), (0, PAGE - 8, 8), (12, 10, 60), (9, 11, 60), (PAGE, 0, 0), (0, PAGE, 0)] {
        guest.at("memory.copy", &[at, from, length])?;
        let from = from as usize..(from + length) as usize;
        is(&mut guest, &mut |bytes| bytes.copy_within(from.clone(), at as usize), "memory.copy")?;
    }
    for (at, from, length) in [(300, 2, 4), (PAGE - 16, 0, 16), (PAGE, 16, 0)] {
        guest.call("memory.init", &[index.value(at), narrow(from), narrow(length)])?;
        let data = &b"0123456789abcdef"[from as usize..][..length as usize];
        is(&mut guest, &mut |bytes| bytes[at as usize..][..data.len()].copy_from_slice(data), "memory.init")?;
    }
    ensure_eq!(guest.index_of("memory.grow", &[2])?, 1);
    ensure_eq!(guest.index_of("memory.size", &[])?, 3);
    guest.at("memory.copy", &[2 * PAGE, 0, PAGE])?;
    let grown = &mut |bytes: &mut Vec<u8>| {
        bytes.resize(3 * PAGE as usize, 0);
        bytes.copy_within(0..PAGE as usize, 2 * PAGE as usize);
    };
    is(&mut guest, grown, "memory.grow")?;
    guest.call("store", &[index.value(3 * PAGE - 1), Value::I32(77)])?;
    ensure_eq!(guest.number_at("load", 3 * PAGE - 1)?, 77);

    ensure_eq!(guest.elements()?, [0, 1, 2, 0, 0, 0, 0, 0, 0, 0]);
    guest.at("table.set", &[9])?;
    guest.at("table.fill two", &[5, 3])?;
    ensure_eq!(guest.elements()?, [0, 1, 2, 0, 0, 2, 2, 2, 0, 1]);
    guest.at("table.fill", &[6, 1])?;
    guest.at("table.copy", &[0, 1, 2])?;
    ensure_eq!(guest.elements()?, [1, 2, 2, 0, 0, 2, 0, 2, 0, 1]);
    guest.call("table.init", &[index.value(7), narrow(1), narrow(2)])?;
    guest.call("table.init", &[index.value(10), narrow(3), narrow(0)])?;
    ensure_eq!(guest.elements()?, [1, 2, 2, 0, 0, 2, 0, 1, 2, 1]);
    ensure_eq!(guest.index_of("table.grow", &[2])?, 10);
    guest.at("table.copy", &[10, 7, 2])?;
    ensure_eq!(guest.elements()?, [1, 2, 2, 0, 0, 2, 0, 1, 2, 1, 1, 2]);
    Ok(())
}

fn between<B: BackendUnderTest>() -> Outcome {
    let tables = r#"(type $number (func (result i32)))
        (table $narrow 6 funcref) (table $wide i64 6 funcref)
        (func $one (result i32) (i32.const 1))
        (elem (table $narrow) (offset (i32.const 0)) func $one $one)
        (func (export "table there") (param i64 i32 i32)
            (table.copy $wide $narrow (local.get 0) (local.get 1) (local.get 2)))
        (func (export "table back") (param i32 i64 i32)
            (table.copy $narrow $wide (local.get 0) (local.get 1) (local.get 2)))
        (func (export "call") (param i32) (result i32) (call_indirect $narrow (type $number) (local.get 0)))"#;
    let mut session =
        plain_plugin::<B>(Index::Wide.policy(|_| ()), &wasm(&format!("(module {tables})")))?.session(())?;
    session.call_values("table there", &[Value::I64(4), Value::I32(0), Value::I32(2)])?;
    session.call_values("table back", &[Value::I32(3), Value::I64(3), Value::I32(2)])?;
    ensure_eq!(session.call_values("call", &[Value::I32(4)])?, [Value::I32(1)]);
    for (export, params) in [
        ("table there", [Value::I64(5), Value::I32(0), Value::I32(2)]),
        ("table there", [Value::I64(1 << 32), Value::I32(0), Value::I32(1)]),
        ("table back", [Value::I32(0), Value::I64(i64::MIN), Value::I32(1)]),
        ("call", [Value::I32(3), Value::I32(0), Value::I32(0)]),
    ] {
        let params = if export == "call" { &params[..1] } else { &params };
        let mut session =
            plain_plugin::<B>(Index::Wide.policy(|_| ()), &wasm(&format!("(module {tables})")))?.session(())?;
        let code = if export == "call" { "trap-indirect-call-to-null" } else { "trap-table-out-of-bounds" };
        ensure_eq!(session.call_values(export, params).denied()?.code(), code, "{export} {params:?}");
    }

    if matches!(B::enforcement(Field::Proposal(Proposal::MultiMemory)), Enforcement::Unsupported { .. }) {
        tally::note("not between memories: there is only one".to_owned());
        return Ok(());
    }
    let memories = r#"(module
        (memory $narrow (export "memory") 1) (memory $wide i64 1)
        (data (memory $narrow) (i32.const 100) "between the two of them")
        (func (export "there") (param i64 i32 i32)
            (memory.copy $wide $narrow (local.get 0) (local.get 1) (local.get 2)))
        (func (export "back") (param i32 i64 i32)
            (memory.copy $narrow $wide (local.get 0) (local.get 1) (local.get 2)))
        (func (export "within") (param i64 i64 i64)
            (memory.copy $wide $wide (local.get 0) (local.get 1) (local.get 2))))"#;
    let several = || {
        Index::Wide.policy(|rules| {
            rules.proposals.allow(Proposal::MultiMemory);
            rules.module.memories = 2;
        })
    };
    let plugin = plain_plugin::<B>(several(), &wasm(memories))?;
    let mut session = plugin.session(())?;
    let text = b"between the two of them";
    let length = text.len() as i32;
    session.call_values("there", &[Value::I64(40), Value::I32(100), Value::I32(length)])?;
    session.call_values("within", &[Value::I64(41), Value::I64(40), Value::I64(length.into())])?;
    session.call_values("back", &[Value::I32(65_000), Value::I64(41), Value::I32(length)])?;
    ensure_eq!(&session.memory()[65_000..65_000 + text.len()], text);
    let used = session.usage().fuel_used.present()?;
    session.call_values("back", &[Value::I32(0), Value::I64(0), Value::I32(0)])?;
    ensure_eq!(used - session.usage().fuel_used.present()?, length as u64 / 16);
    for (export, params) in [
        ("there", [Value::I64(65_530), Value::I32(0), Value::I32(7)]),
        ("there", [Value::I64(1 << 32), Value::I32(0), Value::I32(1)]),
        ("back", [Value::I32(0), Value::I64(65_530), Value::I32(7)]),
        ("back", [Value::I32(0), Value::I64(-1), Value::I32(1)]),
        ("within", [Value::I64(0), Value::I64(-1), Value::I64(2)]),
    ] {
        let fault = plugin.session(())?.call_values(export, &params).denied()?;
        ensure_eq!(fault.code(), "trap-memory-out-of-bounds", "{export} {params:?}");
    }
    Ok(())
}

/// Checks the additional cost of a call with a length over one with length zero.
fn costs<B: BackendUnderTest>(index: Index) -> Outcome {
    let mut guest = index.guest::<B>(|_| ())?;
    let mut dearer = |export: &str, params: &dyn Fn(u64) -> Vec<Value>, length: u64| -> Result<u64, Failure> {
        let mut used = |length| -> Result<_, Failure> {
            guest.session.call_values(export, &params(length))?;
            guest.session.usage().fuel_used.present()
        };
        let nothing = used(0)?;
        Ok(used(length)? - nothing)
    };
    let index = |number: u64| index.value(number);
    for length in [1, 15, 16, 17, 31, 32, 4_096, 65_535, 65_536] {
        let fill = |length| vec![index(0), Value::I32(3), index(length)];
        ensure_eq!(dearer("memory.fill", &fill, length)?, length / 16, "memory.fill of {length}");
        let copy = |length| vec![index(0), index(0), index(length)];
        ensure_eq!(dearer("memory.copy", &copy, length)?, length / 16, "memory.copy of {length}");
    }
    for length in [1, 15, 16] {
        let init = |length| vec![index(9), narrow(0), narrow(length)];
        ensure_eq!(dearer("memory.init", &init, length)?, length / 16, "memory.init of {length}");
    }
    for length in [1, 2, 10] {
        let fill = |length| vec![index(0), index(length)];
        ensure_eq!(dearer("table.fill", &fill, length)?, length, "table.fill of {length}");
        let copy = |length| vec![index(0), index(0), index(length)];
        ensure_eq!(dearer("table.copy", &copy, length)?, length, "table.copy of {length}");
    }
    let init = |length| vec![index(7), narrow(0), narrow(length)];
    ensure_eq!(dearer("table.init", &init, 3)?, 3, "table.init");
    let grow = |length| vec![index(length)];
    ensure_eq!(dearer("memory.grow", &grow, 2)?, 2 * PAGE / 16, "memory.grow");
    ensure_eq!(dearer("memory.grow", &grow, 2)?, 0, "memory.grow past the maximum");
    ensure_eq!(dearer("memory.grow", &grow, u32::MAX.into())?, 0, "memory.grow past all maxima");
    ensure_eq!(dearer("table.grow", &grow, 7)?, 7, "table.grow");
    ensure_eq!(dearer("table.grow", &grow, 7)?, 0, "table.grow past the maximum");
    ensure_eq!(dearer("table.grow", &grow, u32::MAX.into())?, 0, "table.grow past all maxima");
    Ok(())
}

/// Checks every operator with operands out of bounds, under this much fuel.
fn traps<B: BackendUnderTest>(index: Index, fuel: Option<u64>) -> Outcome {
    let plugin =
        plain_plugin::<B>(index.policy(|rules| rules.limits.fuel = fuel), &wasm(&GUEST.replace("INDEX", index.ty())))?;
    let traps = |export: &str, params: &[Value], what: &str| -> Outcome {
        let mut session = plugin.session(())?;
        let fault = session.call_values(export, params).denied()?;
        ensure_eq!(fault.code(), format!("trap-{what}-out-of-bounds"), "{export} {params:?}");
        ensure!(session.memory().iter().all(|byte| *byte == 0), "{export} {params:?} has written something");
        Ok(())
    };
    let value = |number: u64| index.value(number);
    let one = Value::I32(1);
    for far in [PAGE + 1].iter().chain(index.far()).copied() {
        traps("memory.fill", &[value(0), one, value(far)], "memory")?;
        traps("memory.fill", &[value(far), one, value(0)], "memory")?;
        traps("memory.fill", &[value(far), one, value(far)], "memory")?;
        traps("memory.copy", &[value(0), value(0), value(far)], "memory")?;
        traps("memory.copy", &[value(1), value(far), value(0)], "memory")?;
        traps("memory.copy", &[value(far), value(1), value(1)], "memory")?;
        traps("memory.init", &[value(far), narrow(0), narrow(1)], "memory")?;
        traps("load", &[value(far)], "memory")?;
        traps("store", &[value(far), one], "memory")?;
    }
    for far in [11].iter().chain(index.far()).copied() {
        traps("table.fill", &[value(0), value(far)], "table")?;
        traps("table.fill", &[value(far), value(0)], "table")?;
        traps("table.copy", &[value(0), value(0), value(far)], "table")?;
        traps("table.copy", &[value(1), value(far), value(0)], "table")?;
        traps("table.copy", &[value(far), value(1), value(1)], "table")?;
        traps("table.init", &[value(far), narrow(0), narrow(1)], "table")?;
        for export in ["table.get", "table.set", "call_indirect"] {
            traps(export, &[value(far)], "table")?;
        }
    }
    // Segment indices have 32 bits, whatever the memory's have.
    for far in [17, 0x7fff_ffff, 0xffff_ffff] {
        traps("memory.init", &[value(0), narrow(0), narrow(far)], "memory")?;
        traps("memory.init", &[value(0), narrow(far), narrow(1)], "memory")?;
        traps("table.init", &[value(0), narrow(0), narrow(far)], "table")?;
        traps("table.init", &[value(0), narrow(far), narrow(1)], "table")?;
    }
    traps("memory.fill", &[value(PAGE - 1), one, value(2)], "memory")?;
    traps("table.fill", &[value(9), value(2)], "table")?;
    Ok(())
}
