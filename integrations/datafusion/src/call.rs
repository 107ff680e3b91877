//! A batch's way through a guest.

use std::time::Instant;

use datafusion::{
    arrow::array::{ArrayRef, new_empty_array},
    error::{DataFusionError, Result},
    execution::memory_pool::{MemoryConsumer, MemoryReservation},
};
use hotcell::{Blame, CallError, CancelToken, Reply};

use crate::{
    blocking::blocking,
    failure::Cause,
    frame::{self, FrameError},
    function::{Created, Limits},
    scope::{self, Kept, Scope},
    slots::Slot,
};

/// Why a batch has no result: the guest's failure, or an error of DataFusion's own.
enum Error {
    Guest(Cause),
    Host(DataFusionError),
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self::Guest(cause)
    }
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        Self::Guest(error.into())
    }
}

/// Calls the function once for a batch.
pub(crate) fn call(created: &Created, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let function = &created.function;
    if rows == 0 {
        return Ok(new_empty_array(&function.result));
    }
    let scope = scope::current();
    let before = scope.as_ref().map_or(0, |scope| scope.begin(&function.name, rows));
    answer(created, arguments, rows, scope.as_deref()).map_err(|error| match error {
        Error::Host(error) => error,
        Error::Guest(cause) => {
            let partition = scope.as_ref().map(|scope| scope.partition);
            cause.at(&function.name, partition, before..before + rows as u64).into()
        }
    })
}

/// Asks the guest for no rows: does it have the function, with these types?
pub(crate) fn probe(created: &Created) -> std::result::Result<(), Cause> {
    let function = &created.function;
    let arguments: Vec<ArrayRef> = function.arguments.iter().map(new_empty_array).collect();
    match answer(created, &arguments, 0, None) {
        Ok(_) => Ok(()),
        Err(Error::Guest(cause)) => Err(cause),
        Err(Error::Host(error)) => Err(Cause::new("datafusion", Blame::Engine, error.to_string())),
    }
}

fn answer(
    created: &Created,
    arguments: &[ArrayRef],
    rows: usize,
    scope: Option<&Scope>,
) -> std::result::Result<ArrayRef, Error> {
    let function = &created.function;
    let begin = Instant::now();
    let allowed = function.limits.policy.rules().limits.input_bytes;
    let request = frame::write(arguments, rows, created.result, allowed).map_err(Error::Host)??;
    let mut copying = begin.elapsed();

    let reply = blocking(|| run(created, &request, rows, scope))?;
    drop(request);

    let begin = Instant::now();
    let column = frame::read(reply.bytes, rows, &function.result);
    copying += begin.elapsed();
    if let Some(scope) = scope {
        scope.copied(&function.name, copying);
    }
    Ok(column?)
}

fn run(
    created: &Created,
    request: &[u8],
    rows: usize,
    scope: Option<&Scope>,
) -> std::result::Result<Reply, Error> {
    let function = &created.function;
    scope.map_or(Ok(()), |scope| scope.query.check())?;
    let cancel = scope.map_or_else(CancelToken::new, |scope| scope.query.cancel());
    let Some(_slot) = created.running.wait(&cancel) else {
        return Err(cancelled(scope));
    };

    let kept = scope.and_then(|scope| scope.take_kept(&function.name));
    let outcome = match (kept, scope) {
        (Some(kept), Some(scope)) => call_kept(created, kept, request, cancel, scope),
        (_, Some(scope)) => {
            let memory = reserve(created, request, scope).map_err(Error::Host)?;
            match created.kept.take().filter(|_| function.limits.keeps_instance) {
                Some(slot) => call_first(created, slot, memory, request, cancel, scope),
                None => created.plugin.call(&function.entry, request, Some(cancel)),
            }
        }
        (_, None) => created.plugin.call(&function.entry, request, Some(cancel)),
    };
    account(created, outcome, rows, scope)
}

fn cancelled(scope: Option<&Scope>) -> Error {
    let end = scope.map_or(Ok(()), |scope| scope.query.check()).err();
    Error::Guest(end.unwrap_or_else(|| Cause::new("cancelled", Blame::Caller, "the query has ended")))
}

/// All that an instance may have, before there is one: its growth asks nobody.
fn reserve(created: &Created, request: &[u8], scope: &Scope) -> Result<MemoryReservation> {
    let function = &created.function;
    let limits = &function.limits.policy.rules().limits;
    let memory = MemoryConsumer::new(format!("guest of {}", function.name)).register(&scope.pool);
    memory.try_grow(limits.memory_bytes as usize + request.len())?;
    Ok(memory)
}

fn call_first(
    created: &Created,
    slot: Slot,
    memory: MemoryReservation,
    request: &[u8],
    cancel: CancelToken,
    scope: &Scope,
) -> std::result::Result<Reply, CallError> {
    let session = created.plugin.session(Some(cancel.clone()))?;
    call_kept(created, Kept { session, _slot: slot, _memory: Some(memory) }, request, cancel, scope)
}

fn call_kept(
    created: &Created,
    mut kept: Kept,
    request: &[u8],
    cancel: CancelToken,
    scope: &Scope,
) -> std::result::Result<Reply, CallError> {
    let function = &created.function;
    kept.session.cancel_with(cancel).expect("the function was created with a policy that allows it");
    let reply = kept.session.call(&function.entry, request)?;
    scope.keep(&function.name, kept);
    Ok(reply)
}

/// Counts what a batch has used, and holds it against what it may.
fn account(
    created: &Created,
    outcome: std::result::Result<Reply, CallError>,
    rows: usize,
    scope: Option<&Scope>,
) -> std::result::Result<Reply, Error> {
    let function = &created.function;
    let report = match &outcome {
        Ok(reply) => &reply.report,
        Err(error) => &error.report,
    };
    let fuel = report.usage.fuel_used.unwrap_or_default();
    if let Some(scope) = scope {
        scope.end(&function.name, report);
        scope.query.charge(fuel)?;
    }
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) if error.code() == "cancelled" => return Err(cancelled(scope)),
        Err(error) => return Err(Cause::from(&error).into()),
    };
    let allowed = function.limits.fuel_per_row.map(|per_row| per_row.saturating_mul(rows as u64));
    match allowed.map(|allowed| allowed.saturating_add(Limits::BATCH_FUEL)) {
        Some(allowed) if fuel > allowed => {
            let message = format!("{rows} rows have used {fuel} fuel, they may use {allowed}");
            Err(Cause::new("row-fuel", Blame::Guest, message).into())
        }
        _ => Ok(reply),
    }
}
