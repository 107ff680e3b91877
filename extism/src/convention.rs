//! How such a plugin is called.

use alloc::{format, string::String, vec::Vec};

use hotcell_core::{Backend, Fault, Guest, Phase, TrapKind, ValType, Value, admit::INITIALIZE};

use crate::kernel::Kernel;

/// What a guest's language may export to be set up. Core has called `_initialize`, which makes the constructors' calls.
const HASKELL: &str = "hs_init";
const CONSTRUCTORS: &str = "__wasm_call_ctors";

/// Calls `entry` with `input`.
pub(crate) fn call<B: Backend, T: Send + 'static>(
    guest: &mut Guest<'_, B, T>,
    entry: &str,
    input: &[u8],
) -> Result<Vec<u8>, (Phase, Fault)> {
    let in_call = |fault| (Phase::Call, fault);
    initialize(guest).map_err(|fault| (Phase::Instantiate, fault))?;
    begin(guest, input).map_err(|fault| (Phase::Alloc, fault))?;
    match run(guest, entry) {
        Ok(0) => {}
        Ok(code) => return Err(in_call(reported(guest).unwrap_or_else(|| error(format!("it returned {code}"))))),
        Err(Fault::Trap(TrapKind::Unreachable)) if guest.extension::<Kernel>().error != 0 => {
            return Err(in_call(reported(guest).unwrap_or(Fault::Trap(TrapKind::Unreachable))));
        }
        Err(fault) => return Err(in_call(fault)),
    }
    match reported(guest) {
        Some(fault) => Err(in_call(fault)),
        None => reply(guest).map_err(|fault| (Phase::Reply, fault)),
    }
}

/// Sets up the guest's language, once for each instance.
fn initialize<B: Backend, T: Send + 'static>(guest: &mut Guest<'_, B, T>) -> Result<(), Fault> {
    if core::mem::replace(&mut guest.extension::<Kernel>().is_initialized, true) {
        return Ok(());
    }
    let has = |name, params: &[ValType]| guest.exports().function(name).is_some_and(|ty| ty.is(params, &[]));
    if has(HASKELL, &[ValType::I32; 2]) {
        // How many arguments a program has, and where they are.
        guest.call_values(HASKELL, &[Value::I32(0); 2]).map(drop)
    } else if has(CONSTRUCTORS, &[]) && !has(INITIALIZE, &[]) {
        guest.call::<(), ()>(CONSTRUCTORS, ())
    } else {
        Ok(())
    }
}

/// Forgets the last call and gives the guest its input.
fn begin<B: Backend, T: Send + 'static>(guest: &mut Guest<'_, B, T>, input: &[u8]) -> Result<(), Fault> {
    let held = guest.extension::<Kernel>().reset();
    guest.release(held);
    if input.is_empty() {
        return Ok(());
    }
    let len = input.len() as u64;
    let missing = guest.extension::<Kernel>().memory.missing(len);
    let has_room = missing.is_some_and(|missing| guest.reserve(missing));
    let kernel = guest.extension::<Kernel>();
    match has_room.then(|| kernel.memory.alloc(len)).flatten() {
        Some(block) => {
            kernel.memory.copy_in(block, input);
            kernel.set_input(block, len);
            Ok(())
        }
        None => {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            Err(Fault::BadAlloc { pointer: 0, len, memory: kernel.memory.len() })
        }
    }
}

/// Calls the entry. Returns its number; zero where it has none.
fn run<B: Backend, T: Send + 'static>(guest: &mut Guest<'_, B, T>, entry: &str) -> Result<u32, Fault> {
    let returns_nothing = guest.exports().function(entry).is_some_and(|ty| ty.is(&[], &[]));
    if returns_nothing { guest.call::<(), ()>(entry, ()).map(|()| 0) } else { guest.call::<(), u32>(entry, ()) }
}

/// The error that the guest has set.
fn reported<B: Backend, T: Send + 'static>(guest: &mut Guest<'_, B, T>) -> Option<Fault> {
    guest.extension::<Kernel>().error_text().map(error)
}

fn error(message: String) -> Fault {
    Fault::GuestError { message }
}

fn reply<B: Backend, T: Send + 'static>(guest: &mut Guest<'_, B, T>) -> Result<Vec<u8>, Fault> {
    let allowed = guest.policy().rules().limits.output_bytes;
    let Kernel { memory, output: (at, len), .. } = guest.extension();
    let (pointer, len32) = (u32::try_from(*at).unwrap_or(u32::MAX), u32::try_from(*len).unwrap_or(u32::MAX));
    if *len > allowed {
        return Err(Fault::OutputTooLarge { len: len32, allowed });
    }
    let bad = Fault::BadOutput { pointer, len: len32, memory: memory.len() };
    memory.copy(*at, *len).ok_or(bad)
}
