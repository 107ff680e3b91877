use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};

use super::{Accounts, SandboxBackend, Store, StoreData, Streams};
use crate::{
    value::Value,
    verdict::{BoxError, Escaped, Fault},
};

/// What a host function sees: its state, the guest's memory, and the budget.
pub struct HostCx<'a, B: SandboxBackend, T: Send + 'static> {
    caller: B::Caller<'a, T>,
    /// Whether it has called the guest back.
    has_called: bool,
}

impl<B: SandboxBackend, T: Send + 'static> HostCx<'_, B, T> {
    /// The embedder's state.
    #[inline]
    pub fn state(&mut self) -> &mut T {
        &mut self.caller.data_mut().state
    }

    /// The guest's memory together with the state. Empty where the guest exports no memory, or several and none of them is
    /// [the memory](crate::ModuleSummary::memory).
    #[inline]
    pub fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        let (memory, data) = self.caller.memory_and_data();
        (memory, &mut data.state)
    }

    /// The state of a library of host functions: one for each instance and type, beside the embedder's own. It is made when
    /// it is first asked for.
    pub fn extension<E: Default + Send + 'static>(&mut self) -> &mut E {
        self.caller.data_mut().extensions.get()
    }

    /// The guest's memory, the state of a [library](Self::extension), and the standard streams.
    pub fn parts<E: Default + Send + 'static>(&mut self) -> (&mut [u8], &mut E, &mut Streams) {
        let (memory, data) = self.caller.memory_and_data();
        (memory, data.extensions.get(), &mut data.streams)
    }

    /// A view of `len` bytes at `pointer` in the guest's memory. Nothing is copied or reserved.
    ///
    /// # Errors
    ///
    /// [`BadPointer`] when they are not all inside.
    #[inline]
    pub fn read(&mut self, pointer: u32, len: u32) -> Result<&[u8], BadPointer> {
        self.bytes_mut(pointer, len as usize).map(|bytes| &*bytes)
    }

    /// Copies `bytes` to `pointer` in the guest's memory.
    ///
    /// # Errors
    ///
    /// [`BadPointer`] when they do not all fit; nothing is written then.
    #[inline]
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer> {
        self.bytes_mut(pointer, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn bytes_mut(&mut self, pointer: u32, len: usize) -> Result<&mut [u8], BadPointer> {
        let (memory, data) = self.caller.memory_and_data();
        bytes_at(memory, data, pointer, len)
    }

    /// Makes the guest pay for work that the host does for it.
    ///
    /// # Errors
    ///
    /// The guest has less: what is left is taken, and the call ends with [`Fault::OutOfFuel`] whatever the host
    /// function returns.
    pub fn charge(&mut self, fuel: u64) -> Result<(), HostError> {
        let Some(left) = self.caller.fuel() else {
            return Ok(());
        };
        self.caller.set_fuel(left.saturating_sub(fuel));
        match left >= fuel {
            true => Ok(()),
            false => Err(self.stop(Fault::OutOfFuel)),
        }
    }

    /// Fuel left; `None` where nobody counts.
    pub fn remaining_fuel(&mut self) -> Option<u64> {
        self.caller.fuel()
    }

    /// Holds so many bytes that the host keeps for the guest against the budget of its memories and tables, and says whether
    /// there was room. They stay until they are [released](Self::release), or the instance ends.
    #[must_use]
    pub fn reserve(&mut self, bytes: u64) -> bool {
        self.accounts().reserve(bytes)
    }

    /// Gives back bytes that were [reserved](Self::reserve).
    pub fn release(&mut self, bytes: u64) {
        self.accounts().release(bytes);
    }

    /// Time until the deadline; `None` without one.
    pub fn remaining_time(&mut self) -> Option<Duration> {
        let accounts = self.accounts();
        accounts.filling_ended();
        accounts.time_left()
    }

    /// Whether the call may go on: for a host function that takes its time, to ask now and then.
    ///
    /// # Errors
    ///
    /// The call was cancelled, or its deadline has passed. It ends with that whatever the host function returns.
    pub fn check(&mut self) -> Result<(), HostError> {
        let accounts = self.accounts();
        accounts.filling_ended();
        accounts.check().map_err(|fault| self.stop(fault))
    }

    /// Runs `wait` with the deadline's clock stopped: for waiting that is not the guest's fault. The report calls this
    /// time host time.
    pub fn off_the_clock<R>(&mut self, wait: impl FnOnce() -> R) -> R {
        self.accounts().filling_ended();
        let begin = self.accounts().clock().now();
        let result = wait();
        let accounts = self.accounts();
        let elapsed = accounts.clock().now().since(begin);
        accounts.stop_the_clock(elapsed);
        result
    }

    /// Calls back into the guest, under what is left of its budget, as deep as the policy's `limits.reentry` allows.
    ///
    /// The name may come from the guest: what the guest does not export itself is [`Fault::NoSuchExport`].
    ///
    /// # Errors
    ///
    /// The call failed. The fault ends the outer call too, whatever the host function returns, and no further call is
    /// made: the instance is in an unknown state.
    pub fn call(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, HostError> {
        let accounts = self.accounts();
        if accounts.is_parked() {
            return Err(HostError(None));
        }
        if let Err(denied) = accounts.enter_guest_again() {
            return Err(self.stop(denied));
        }
        if core::mem::replace(&mut self.has_called, true)
            && let Some(recorder) = &mut self.caller.data_mut().recorder
        {
            recorder.call_again();
        }
        let outcome = self.caller.call_values(export, params);
        self.accounts().leave_guest_again();
        outcome.map_err(|fault| self.stop(fault))
    }

    fn accounts(&mut self) -> &mut Accounts {
        &mut self.caller.data_mut().accounts
    }

    fn stop(&mut self, fault: Fault) -> HostError {
        self.accounts().park(fault);
        HostError(None)
    }
}

/// `len` bytes at `pointer` in the memory of a store.
#[inline]
pub(crate) fn bytes_at<'a, T>(
    memory: &'a mut [u8],
    data: &StoreData<T>,
    pointer: u32,
    len: usize,
) -> Result<&'a mut [u8], BadPointer> {
    let size = memory.len() as u64;
    let bytes = memory.get_mut(pointer as usize..).and_then(|rest| rest.get_mut(..len));
    // Without a memory not even no bytes are inside.
    bytes.filter(|_| size > 0 || data.memory().is_some()).ok_or_else(|| BadPointer {
        pointer,
        len: u32::try_from(len).unwrap_or(u32::MAX),
        memory: data.memory().map(|_| size),
    })
}

/// A pointer that is not inside the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are no {len} bytes at {pointer:#x}: {}", Size(*.memory))]
pub struct BadPointer {
    /// Where.
    pub pointer: u32,
    /// How many bytes, up to the maximum of the type.
    pub len: u32,
    /// Bytes of the guest's memory; `None` where it exports [none](crate::ModuleSummary::memory).
    pub memory: Option<u64>,
}

/// The size of a memory that may not be there.
struct Size(Option<u64>);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "the guest's memory has {bytes} bytes"),
            None => f.write_str("the guest exports no memory, or several and none as `memory`"),
        }
    }
}

/// Why a host function refuses or failed. Any error type converts into it and stays as the source of
/// [`Fault::HostFunction`].
#[derive(Debug)]
pub struct HostError(Option<BoxError>);

impl HostError {
    /// An error that is only a message.
    pub fn message(message: impl Into<String>) -> Self {
        Self(Some(message.into().into()))
    }

    /// The guest ends its own program with this exit code: the call ends with [`Fault::GuestExit`]. A
    /// [command](crate::Contract::Command) that exits with 0 has ended well.
    pub fn exit(code: u32) -> Self {
        Exit(code).into()
    }

    /// The guest reports an error of its own, or has broken a rule of the library that it calls: the call ends with
    /// [`Fault::GuestError`].
    pub fn guest(message: impl Into<String>) -> Self {
        Complaint(message.into()).into()
    }
}

/// The guest's wish, on its way to [`stop`].
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
struct Exit(u32);

/// The guest's error, on its way to [`stop`].
#[derive(Debug, thiserror::Error)]
#[error("{}", Escaped(.0))]
struct Complaint(String);

impl<E: core::error::Error + Send + Sync + 'static> From<E> for HostError {
    fn from(error: E) -> Self {
        Self(Some(error.into()))
    }
}

/// What a host function changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing but what is dropped with the instance: its memory, its streams, its extensions.
    Instance,
    /// No more than that, in so little time that it is a step of the guest rather than a call: it is not counted.
    Step,
    /// Anything.
    World,
}

/// Tells the engine to unwind: the fault is parked in the store's [`Accounts`].
#[derive(Clone, Copy, Debug)]
pub struct HostStop;

impl fmt::Display for HostStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was stopped by its host")
    }
}

impl core::error::Error for HostStop {}

/// Runs the host function of that name (`module::name`) and effect: counts the call, catches a panic where the target unwinds, and looks at the clock when it
/// returns.
///
/// # Errors
///
/// [`HostStop`]: the call must end now, and its fault is parked.
///
/// # Panics
///
/// With `panic = "abort"`, or without `std`, a panic of the host function stays the embedder's panic.
#[inline]
pub(super) fn host_call<B, T, R>(
    caller: B::Caller<'_, T>,
    effect: Effect,
    name: &str,
    f: impl FnOnce(&mut HostCx<'_, B, T>) -> Result<R, HostError>,
) -> Result<R, HostStop>
where
    B: SandboxBackend,
    T: Send + 'static,
{
    let mut cx = HostCx::<B, T> { caller, has_called: false };
    let accounts = cx.accounts();
    accounts.filling_ended();
    if let Err(fault) = accounts.begin_host_call(effect) {
        return Err(refuse(accounts, fault));
    }
    let outcome = catch_panic(|| f(&mut cx));
    let due = cx.caller.data_mut().is_clock_due();
    let accounts = cx.accounts();
    if due {
        check_clock(accounts);
    }
    match outcome {
        Ok(Ok(results)) if !accounts.is_parked() => Ok(results),
        outcome => Err(stop(accounts, name, outcome.map(|result| result.map(drop)))),
    }
}

// What seldom happens is kept out of the way of what happens at every call.

#[cold]
fn refuse(accounts: &mut Accounts, fault: Fault) -> HostStop {
    accounts.park(fault);
    HostStop
}

#[cold]
fn check_clock(accounts: &mut Accounts) {
    accounts.filling_ended();
    if let Err(fault) = accounts.check() {
        accounts.park(fault);
    }
}

#[cold]
fn stop(accounts: &mut Accounts, name: &str, outcome: Result<Result<(), HostError>, String>) -> HostStop {
    match outcome {
        Ok(Ok(()) | Err(HostError(None))) => {}
        Ok(Err(HostError(Some(source)))) => accounts.park(fault(name, source)),
        Err(message) => accounts.park(Fault::HostFunctionPanicked { import: name.into(), message }),
    }
    HostStop
}

fn fault(name: &str, source: BoxError) -> Fault {
    if let Some(&Exit(code)) = source.downcast_ref() {
        return Fault::GuestExit { code };
    }
    match source.downcast() {
        Ok(complaint) => {
            let Complaint(message) = *complaint;
            Fault::GuestError { message }
        }
        Err(source) => Fault::HostFunction { import: name.into(), source },
    }
}

/// Runs `f`; gives the message of its panic where panics unwind. Elsewhere a panic stays a panic.
///
/// # Errors
///
/// The panic's message.
#[cfg(all(feature = "std", panic = "unwind"))]
#[inline]
pub fn catch_panic<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(f)).map_err(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => String::from(payload.downcast_ref::<&str>().copied().unwrap_or("no message")),
    })
}

/// Runs `f`. This target does not unwind: a panic stays a panic.
///
/// # Errors
///
/// None.
#[cfg(not(all(feature = "std", panic = "unwind")))]
#[inline]
pub fn catch_panic<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    Ok(f())
}
