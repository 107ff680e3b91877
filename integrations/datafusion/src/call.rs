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
    query::Query,
    scope::{self, Kept, Scope},
    slots::Slot,
};

/// For whom a batch is.
#[derive(Clone, Copy)]
struct Place<'a> {
    query: Option<&'a Query>,
    /// `None` while a query is planned.
    scope: Option<&'a Scope>,
}

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

/// Calls the function once for a batch of a query.
pub(crate) fn call(created: &Created, query: &Query, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let function = &created.function;
    if rows == 0 {
        return Ok(new_empty_array(&function.result));
    }
    let scope = scope::current().or_else(|| query.elsewhere.get().cloned());
    let place = Place { query: Some(query), scope: scope.as_deref() };
    let before = scope.as_ref().map_or(0, |scope| scope.begin(&function.name, rows));
    answer(created, arguments, rows, place).map_err(|error| match error {
        Error::Host(error) => error,
        Error::Guest(cause) => {
            let partition = scope.as_ref().and_then(|scope| scope.partition);
            cause.at(&function.name, partition, before..before + rows as u64).into()
        }
    })
}

/// Asks the guest for no rows: does it have the function, with these types?
pub(crate) fn probe(created: &Created) -> std::result::Result<(), Cause> {
    let function = &created.function;
    let arguments: Vec<ArrayRef> = function.arguments.iter().map(new_empty_array).collect();
    match answer(created, &arguments, 0, Place { query: None, scope: None }) {
        Ok(_) => Ok(()),
        Err(Error::Guest(cause)) => Err(cause),
        Err(Error::Host(error)) => Err(Cause::new("datafusion", Blame::Engine, error.to_string())),
    }
}

fn answer(
    created: &Created,
    arguments: &[ArrayRef],
    rows: usize,
    place: Place<'_>,
) -> std::result::Result<ArrayRef, Error> {
    let function = &created.function;
    let begin = Instant::now();
    let allowed = function.limits.policy.rules().limits.input_bytes;
    let request = frame::write(arguments, rows, created.result, allowed).map_err(Error::Host)??;
    let mut copying = begin.elapsed();

    let reply = blocking(|| run(created, &request, rows, place))?;
    drop(request);

    let begin = Instant::now();
    let column = frame::read(reply.bytes, rows, &function.result);
    copying += begin.elapsed();
    if let Some(scope) = place.scope {
        scope.copied(&function.name, copying);
    }
    Ok(column?)
}

fn run(created: &Created, request: &[u8], rows: usize, place: Place<'_>) -> std::result::Result<Reply, Error> {
    let function = &created.function;
    place.query.map_or(Ok(()), Query::check)?;
    let cancel = place.query.map_or_else(CancelToken::new, Query::cancel);
    let Some(_slot) = created.running.wait(&cancel) else {
        return Err(cancelled(place));
    };
    let outcome = match place.scope {
        None => created.plugin.call(&function.entry, request, Some(cancel)),
        Some(scope) => call_in(created, request, cancel, scope).map_err(Error::Host)?,
    };
    account(created, outcome, rows, place)
}

/// Why no guest runs any more.
fn cancelled(place: Place<'_>) -> Error {
    let end = place.query.and_then(|query| query.check().err());
    Error::Guest(end.unwrap_or_else(|| Cause::new("cancelled", Blame::Caller, "the query has ended")))
}

/// The outer error is that of the memory pool.
fn call_in(
    created: &Created,
    request: &[u8],
    cancel: CancelToken,
    scope: &Scope,
) -> Result<std::result::Result<Reply, CallError>> {
    let function = &created.function;
    let may_keep = function.limits.keeps_instance && scope.is_partition();
    if let Some(kept) = may_keep.then(|| scope.take_kept(&function.name)).flatten() {
        return Ok(call_kept(created, kept, request, cancel, scope));
    }
    let memory = reserve(created, request, scope)?;
    Ok(match may_keep.then(|| created.kept.take()).flatten() {
        Some(slot) => call_first(created, slot, memory, request, cancel, scope),
        None => created.plugin.call(&function.entry, request, Some(cancel)),
    })
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
    let mut session = created.plugin.session(Some(cancel.clone()))?;
    let opening = session.usage().fuel_used;
    let mut outcome = call_kept(created, Kept { session, _slot: slot, _memory: memory }, request, cancel, scope);
    let report = match &mut outcome {
        Ok(reply) => &mut reply.report,
        Err(error) => &mut *error.report,
    };
    // What the start function has used is the batch's.
    report.usage.fuel_used = report.usage.fuel_used.zip(opening).map(|(call, opening)| call.saturating_add(opening));
    outcome
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
    place: Place<'_>,
) -> std::result::Result<Reply, Error> {
    let function = &created.function;
    let report = match &outcome {
        Ok(reply) => &reply.report,
        Err(error) => &error.report,
    };
    let fuel = report.usage.fuel_used.unwrap_or_default();
    if let Some(scope) = place.scope {
        scope.end(&function.name, report);
    }
    place.query.map_or(Ok(()), |query| query.charge(fuel))?;
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) if error.code() == "cancelled" => return Err(cancelled(place)),
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
