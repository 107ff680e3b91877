//! The byte contract. Every number from the guest is checked against its memory and the policy before the host
//! allocates anything for it.

use alloc::vec::Vec;

use crate::{
    backend::{self, Backend, Instance, Store, TypedCall},
    verdict::{Fault, Phase},
};

/// Writes `input` to the memory that the guest's `alloc` returns.
///
/// An empty input needs no memory: `alloc` is not called, and the entry gets `(0, 0)`.
pub(super) fn put<B: Backend, T: Send + 'static>(
    instance: &mut B::Instance<T>,
    alloc: &<B as TypedCall<u32, u32>>::Func,
    input: &[u8],
) -> Result<(u32, u32), Fault> {
    if input.is_empty() {
        return Ok((0, 0));
    }
    let len = u32::try_from(input.len())
        .map_err(|_| Fault::InputTooLarge { len: input.len() as u64, allowed: u32::MAX.into() })?;
    let pointer = backend::call::<B, u32, u32, T>(instance, alloc, len)?;
    let memory = instance.memory_and_data().0;
    let size = memory.len() as u64;
    memory
        .get_mut(pointer as usize..)
        .and_then(|rest| rest.get_mut(..input.len()))
        .filter(|_| pointer != 0)
        .ok_or(Fault::BadAlloc { pointer, len, memory: size })?
        .copy_from_slice(input);
    Ok((pointer, len))
}

/// Calls the entry and copies its reply, `pointer << 32 | len`, out of the memory.
pub(super) fn call<B: Backend, T: Send + 'static>(
    instance: &mut B::Instance<T>,
    entry: &<B as TypedCall<(u32, u32), u64>>::Func,
    input: (u32, u32),
    allowed: u64,
) -> Result<Vec<u8>, (Phase, Fault)> {
    let packed =
        backend::call::<B, (u32, u32), u64, T>(instance, entry, input).map_err(|fault| (Phase::Call, fault))?;
    let (pointer, len) = ((packed >> 32) as u32, packed as u32);
    if u64::from(len) > allowed {
        return Err((Phase::Reply, Fault::OutputTooLarge { len, allowed }));
    }
    let memory = instance.memory();
    memory
        .get(pointer as usize..)
        .and_then(|rest| rest.get(..len as usize))
        .map(<[u8]>::to_vec)
        .ok_or((Phase::Reply, Fault::BadOutput { pointer, len, memory: memory.len() as u64 }))
}
