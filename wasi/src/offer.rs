use alloc::sync::Arc;
use core::time::Duration;

use hotcell_core::{
    Backend, HostCx, HostError, Imports, Value,
    admit::FuncType,
    backend::DuplicateImport,
    value::Values,
};

use crate::{
    args, clocks, fd, io, paths, poll, process, random, sockets,
    call::{Call, Fuel, Outcome, Stop},
    config::{Reach, WasiConfig},
    memory::Memory,
    state::WasiState,
};

/// The name under which programs import the functions.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// Offers the 46 functions of WASI preview 1 to guests.
///
/// # Errors
///
/// [`DuplicateImport`] when one of them is offered already.
pub fn offer<T, B>(imports: &mut Imports<T, B>, config: WasiConfig) -> Result<(), DuplicateImport>
where
    T: Send + 'static,
    B: Backend,
{
    use Reach::{Clock, Files, Instance, Randomness};

    let mut offers = Offers { imports, config: Arc::new(config) };
    offers.add("args_get", Instance, args::args_get)?;
    offers.add("args_sizes_get", Instance, args::args_sizes_get)?;
    offers.add("environ_get", Instance, args::environ_get)?;
    offers.add("environ_sizes_get", Instance, args::environ_sizes_get)?;
    offers.add("clock_res_get", Clock, clocks::clock_res_get)?;
    offers.add("clock_time_get", Clock, clocks::clock_time_get)?;
    offers.add("fd_advise", Files, fd::fd_advise)?;
    offers.add("fd_allocate", Files, fd::fd_allocate)?;
    offers.add("fd_close", Files, fd::fd_close)?;
    offers.add("fd_datasync", Files, fd::fd_datasync)?;
    offers.add("fd_fdstat_get", Files, fd::fd_fdstat_get)?;
    offers.add("fd_fdstat_set_flags", Files, fd::fd_fdstat_set_flags)?;
    offers.add("fd_fdstat_set_rights", Files, fd::fd_fdstat_set_rights)?;
    offers.add("fd_filestat_get", Files, fd::fd_filestat_get)?;
    offers.add("fd_filestat_set_size", Files, fd::fd_filestat_set_size)?;
    offers.add("fd_filestat_set_times", Files, fd::fd_filestat_set_times)?;
    offers.add("fd_pread", Files, io::fd_pread)?;
    offers.add("fd_prestat_dir_name", Files, fd::fd_prestat_dir_name)?;
    offers.add("fd_prestat_get", Files, fd::fd_prestat_get)?;
    offers.add("fd_pwrite", Files, io::fd_pwrite)?;
    offers.add("fd_read", Files, io::fd_read)?;
    offers.add("fd_readdir", Files, fd::fd_readdir)?;
    offers.add("fd_renumber", Files, fd::fd_renumber)?;
    offers.add("fd_seek", Files, fd::fd_seek)?;
    offers.add("fd_sync", Files, fd::fd_sync)?;
    offers.add("fd_tell", Files, fd::fd_tell)?;
    offers.add("fd_write", Files, io::fd_write)?;
    offers.add("path_create_directory", Files, paths::path_create_directory)?;
    offers.add("path_filestat_get", Files, paths::path_filestat_get)?;
    offers.add("path_filestat_set_times", Files, paths::path_filestat_set_times)?;
    offers.add("path_link", Files, paths::path_link)?;
    offers.add("path_open", Files, paths::path_open)?;
    offers.add("path_readlink", Files, paths::path_readlink)?;
    offers.add("path_remove_directory", Files, paths::path_remove_directory)?;
    offers.add("path_rename", Files, paths::path_rename)?;
    offers.add("path_symlink", Files, paths::path_symlink)?;
    offers.add("path_unlink_file", Files, paths::path_unlink_file)?;
    offers.add("poll_oneoff", Clock, poll::poll_oneoff)?;
    offers.add_without_result("proc_exit", process::proc_exit)?;
    offers.add("proc_raise", Instance, process::proc_raise)?;
    offers.add("random_get", Randomness, random::random_get)?;
    offers.add("sched_yield", Instance, process::sched_yield)?;
    offers.add("sock_accept", Instance, sockets::sock_accept)?;
    offers.add("sock_recv", Instance, sockets::sock_recv)?;
    offers.add("sock_send", Instance, sockets::sock_send)?;
    offers.add("sock_shutdown", Instance, sockets::sock_shutdown)?;
    Ok(())
}

struct Offers<'a, T: Send + 'static, B: Backend> {
    imports: &'a mut Imports<T, B>,
    config: Arc<WasiConfig>,
}

impl<T: Send + 'static, B: Backend> Offers<'_, T, B> {
    /// A function whose result is an error code.
    fn add<P: Values>(
        &mut self,
        name: &str,
        reach: Reach,
        run: fn(&mut Call<'_>, P) -> Outcome,
    ) -> Result<(), DuplicateImport> {
        let config = self.config.clone();
        let f = move |cx: &mut HostCx<'_, B, T>, params: &[Value], results: &mut [Value]| {
            let errno = enter(cx, &config, run, params)?;
            if let Some(result) = results.first_mut() {
                *result = Value::I32(errno.into());
            }
            Ok(())
        };
        let ty = FuncType::of::<P, u32>();
        match self.config.has_outside(reach) {
            true => self.imports.func_values(MODULE, name, ty, f)?,
            false => self.imports.repeatable_func_values(MODULE, name, ty, f)?,
        };
        Ok(())
    }

    fn add_without_result<P: Values>(
        &mut self,
        name: &str,
        run: fn(&mut Call<'_>, P) -> Outcome,
    ) -> Result<(), DuplicateImport> {
        let config = self.config.clone();
        self.imports.repeatable_func_values(MODULE, name, FuncType::of::<P, ()>(), move |cx, params, _| {
            enter(cx, &config, run, params).map(drop)
        })?;
        Ok(())
    }
}

/// Runs a function, and charges what it has spent. Returns its error code, zero for success.
fn enter<T: Send + 'static, B: Backend, P: Values>(
    cx: &mut HostCx<'_, B, T>,
    config: &Arc<WasiConfig>,
    run: fn(&mut Call<'_>, P) -> Outcome,
    params: &[Value],
) -> Result<u16, HostError> {
    let params = P::from_values(params).ok_or_else(|| HostError::message("the engine has compared the types"))?;
    let fuel = Fuel::new(cx.remaining_fuel());
    let (memory, state, streams) = cx.parts::<WasiState>();
    let mut call = Call { memory: Memory(memory), state: state.get(config), streams, fuel };
    let outcome = call.fuel.spend(0).and_then(|()| run(&mut call, params));
    let spent = call.fuel.spent();
    cx.charge(spent)?;
    match outcome {
        Ok(()) => Ok(0),
        Err(Stop::Errno(errno)) => Ok(errno as u16),
        Err(Stop::Exit(code)) => Err(HostError::exit(code)),
        Err(Stop::Sleep(time)) => sleep(cx, time).map(|()| 0),
        Err(Stop::OutOfFuel) => Err(HostError::message("out of fuel")),
    }
}

/// How long a sleeping guest does not look whether it was cancelled.
#[cfg(feature = "std")]
const NAP: Duration = Duration::from_millis(5);

/// Sleeps on the guest's time, until its deadline at most.
#[cfg(feature = "std")]
fn sleep<T: Send + 'static, B: Backend>(cx: &mut HostCx<'_, B, T>, time: Duration) -> Result<(), HostError> {
    let begin = std::time::Instant::now();
    while let Some(left) = time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        cx.check()?;
        let nap = left.min(NAP).min(cx.remaining_time().unwrap_or(NAP));
        std::thread::sleep(nap);
    }
    cx.check()
}

/// No clock takes time.
#[cfg(not(feature = "std"))]
fn sleep<T: Send + 'static, B: Backend>(_cx: &mut HostCx<'_, B, T>, _time: Duration) -> Result<(), HostError> {
    Ok(())
}
