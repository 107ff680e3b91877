//! Compilation, in this process or in a worker's, and modules that were compiled before.

use hotcell_core::{Admitted, BackendError, backend::catch_panic};
#[cfg(all(feature = "cache", unix))]
use hotcell_core::{Identity, ModuleSummary};
use wasmtime::Module;

#[cfg(all(feature = "worker", unix))]
use crate::worker::{CompileLimits, CompileWorker, Failed};
use crate::{
    ID, Options,
    convert::backend_error,
    engine::{SharedEngine, with_compiler_stack},
};

/// Compiles a module, and keeps it where there is a cache.
pub(crate) fn compile(
    engine: &SharedEngine,
    options: &Options,
    admitted: &Admitted<'_>,
) -> Result<Module, BackendError> {
    let module = match options {
        #[cfg(all(feature = "worker", unix))]
        Options { worker: Some(worker), .. } => limited(engine, options, worker, admitted)?,
        _ => in_process(engine, admitted.bytes())?,
    };
    #[cfg(all(feature = "cache", unix))]
    if let (Some(cache), Some(identity)) = (&options.cache, admitted.identity())
        && let (Ok(summary), Ok(code)) = (postcard::to_allocvec(admitted.summary()), module.serialize())
    {
        let length = (summary.len() as u64).to_le_bytes();
        cache.put(entry_name(engine, identity), &[&length, &summary, &code]);
    }
    Ok(module)
}

/// A module that was compiled before, and what admission found in it.
#[cfg(all(feature = "cache", unix))]
pub(crate) fn cached(
    engine: &SharedEngine,
    options: &Options,
    identity: &Identity<'_>,
) -> Option<(Module, ModuleSummary)> {
    let cache = options.cache.as_ref()?;
    cache.get(entry_name(engine, identity), |content| {
        let (length, rest) = content.split_first_chunk::<8>()?;
        let (summary, code) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some((compiled_by_us(engine, code).ok()?, postcard::from_bytes(summary).ok()?))
    })
}

/// The name of a module's entry: all that its code depends on.
#[cfg(all(feature = "cache", unix))]
fn entry_name(engine: &SharedEngine, identity: &Identity<'_>) -> crate::EntryName {
    let compatibility = engine.compatibility().to_le_bytes();
    let version = crate::VERSION.as_bytes();
    let settings = engine.code_settings().encode();
    crate::EntryName::of(&[identity.module(), identity.settings(), version, &settings, &compatibility])
}

/// Compiles `bytes` in this process.
fn in_process(engine: &SharedEngine, bytes: &[u8]) -> Result<Module, BackendError> {
    match catch_panic(|| with_compiler_stack(|| Module::from_binary(engine.engine(), bytes))) {
        Ok(compiled) => compiled.map_err(backend_error),
        Err(panic) => Err(BackendError::Engine { backend: ID, source: panic.into() }),
    }
}

/// Compiles a module in a worker's process. What has reached the limits once is not tried again, as long as the cache knows.
///
/// Only limits of ours that the module itself has used up are remembered. A machine that was busy, a limit that this process
/// was started with, or a crash, which may be the system's for want of memory, says nothing about the next time.
#[cfg(all(feature = "worker", unix))]
fn limited(
    engine: &SharedEngine,
    options: &Options,
    worker: &CompileWorker,
    admitted: &Admitted<'_>,
) -> Result<Module, BackendError> {
    #[cfg(feature = "cache")]
    let known = options.cache.as_ref().zip(admitted.identity()).map(|(cache, identity)| {
        let limits = format!("{:?}", worker.limits());
        (cache, crate::EntryName::of(&[&entry_name(engine, identity).bytes(), limits.as_bytes()]))
    });
    #[cfg(feature = "cache")]
    if let Some((cache, name)) = known
        && let Some(allowed) = cache.get(name, |allowed| String::from_utf8(allowed.to_vec()).ok())
    {
        return Err(BackendError::CompileLimit { allowed });
    }
    let _ = options;
    let settings = engine.code_settings().encode();
    let failed = match worker.run(&[&settings, admitted.bytes()]) {
        Ok(compiled) => return compiled_by_us(engine, &compiled).map_err(backend_error),
        Err(failed) => failed,
    };
    #[cfg(feature = "cache")]
    let is_the_modules = matches!(failed, Failed::Time | Failed::Memory);
    let error = worker_error(failed, worker.limits());
    #[cfg(feature = "cache")]
    if let (true, Some((cache, name)), BackendError::CompileLimit { allowed }) = (is_the_modules, known, &error) {
        cache.put(name, &[allowed.as_bytes()]);
    }
    Err(error)
}

#[cfg(all(feature = "worker", unix))]
fn worker_error(failed: Failed, limits: CompileLimits) -> BackendError {
    let time = limits.time;
    let allowed = match failed {
        Failed::Time => format!("{time:?}"),
        Failed::Waited { used } => {
            let used = std::time::Duration::from_millis(used.as_millis() as u64);
            format!("{time:?}, of which it had a processor for {used:?}")
        }
        Failed::Memory => format!("{} bytes of memory", limits.memory_bytes),
        failed => return BackendError::Engine { backend: ID, source: failed.into() },
    };
    BackendError::CompileLimit { allowed }
}

/// What a worker does: pieces of a request in, a compiled module out.
#[cfg(all(feature = "worker", unix))]
pub(crate) fn serve(request: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let [settings, module] = request else { return Err("a request has two pieces".to_owned()) };
    let settings = crate::engine::CodeSettings::decode(settings).ok_or("the settings cannot be read")?;
    let compile = || wasmtime::Engine::new(&settings.config())?.precompile_module(module);
    with_compiler_stack(compile).map_err(|error| format!("{error:#}"))
}

/// The module in `compiled`, which the engine of this process, or of a process that it started, has compiled: it comes
/// from a worker, or carries the cache's seal.
///
/// The engine checks that its own version compiled it, for these settings and this processor.
#[cfg(all(any(feature = "cache", feature = "worker"), unix))]
#[expect(unsafe_code, reason = "machine code from outside of this process")]
pub(crate) fn compiled_by_us(engine: &SharedEngine, compiled: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: `deserialize` is unsafe because what it gets is executed. What comes here is what this program's own
    // compiler made of an admitted module, and what nobody else could have changed on its way: a worker is this program,
    // started by us, and answers through a pipe that only we read; an entry of the cache was written by a process that had
    // the key, is held against its seal as a whole, and was read into this process's own memory before that.
    unsafe { Module::deserialize(engine.engine(), compiled) }
}
