use alloc::sync::Arc;
use core::time::Duration;

use hotcell_core::{
    Backend, HostCx, HostError, Imports, Value, admit::FuncType, backend::DuplicateImport, value::Values,
};

use crate::{
    args,
    call::{Call, Fuel, Outcome, Stop},
    clocks,
    config::{Reach, WasiConfig},
    fd, io,
    memory::Memory,
    paths, poll, process, random, sockets,
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
    for_each(&mut Offers { imports, config: Arc::new(config) })
}

/// What is done with each function.
pub(crate) trait Visit {
    type Error;

    fn visit<P: Values>(
        &mut self,
        name: &str,
        reach: Reach,
        run: fn(&mut Call<'_>, P) -> Outcome,
    ) -> Result<(), Self::Error>;
}

/// The one function that returns nothing. All others return an error code.
const WITHOUT_RESULT: &str = "proc_exit";

/// All functions, with their types.
pub(crate) fn for_each<V: Visit>(to: &mut V) -> Result<(), V::Error> {
    use Reach::{Clock, Files, Instance, Randomness};

    to.visit("args_get", Instance, args::args_get)?;
    to.visit("args_sizes_get", Instance, args::args_sizes_get)?;
    to.visit("environ_get", Instance, args::environ_get)?;
    to.visit("environ_sizes_get", Instance, args::environ_sizes_get)?;
    to.visit("clock_res_get", Clock, clocks::clock_res_get)?;
    to.visit("clock_time_get", Clock, clocks::clock_time_get)?;
    to.visit("fd_advise", Files, fd::fd_advise)?;
    to.visit("fd_allocate", Files, fd::fd_allocate)?;
    to.visit("fd_close", Files, fd::fd_close)?;
    to.visit("fd_datasync", Files, fd::fd_datasync)?;
    to.visit("fd_fdstat_get", Files, fd::fd_fdstat_get)?;
    to.visit("fd_fdstat_set_flags", Files, fd::fd_fdstat_set_flags)?;
    to.visit("fd_fdstat_set_rights", Files, fd::fd_fdstat_set_rights)?;
    to.visit("fd_filestat_get", Files, fd::fd_filestat_get)?;
    to.visit("fd_filestat_set_size", Files, fd::fd_filestat_set_size)?;
    to.visit("fd_filestat_set_times", Files, fd::fd_filestat_set_times)?;
    to.visit("fd_pread", Files, io::fd_pread)?;
    to.visit("fd_prestat_dir_name", Files, fd::fd_prestat_dir_name)?;
    to.visit("fd_prestat_get", Files, fd::fd_prestat_get)?;
    to.visit("fd_pwrite", Files, io::fd_pwrite)?;
    to.visit("fd_read", Files, io::fd_read)?;
    to.visit("fd_readdir", Files, fd::fd_readdir)?;
    to.visit("fd_renumber", Files, fd::fd_renumber)?;
    to.visit("fd_seek", Files, fd::fd_seek)?;
    to.visit("fd_sync", Files, fd::fd_sync)?;
    to.visit("fd_tell", Files, fd::fd_tell)?;
    to.visit("fd_write", Files, io::fd_write)?;
    to.visit("path_create_directory", Files, paths::path_create_directory)?;
    to.visit("path_filestat_get", Files, paths::path_filestat_get)?;
    to.visit("path_filestat_set_times", Files, paths::path_filestat_set_times)?;
    to.visit("path_link", Files, paths::path_link)?;
    to.visit("path_open", Files, paths::path_open)?;
    to.visit("path_readlink", Files, paths::path_readlink)?;
    to.visit("path_remove_directory", Files, paths::path_remove_directory)?;
    to.visit("path_rename", Files, paths::path_rename)?;
    to.visit("path_symlink", Files, paths::path_symlink)?;
    to.visit("path_unlink_file", Files, paths::path_unlink_file)?;
    to.visit("poll_oneoff", Clock, poll::poll_oneoff)?;
    to.visit(WITHOUT_RESULT, Instance, process::proc_exit)?;
    to.visit("proc_raise", Instance, process::proc_raise)?;
    to.visit("random_get", Randomness, random::random_get)?;
    to.visit("sched_yield", Instance, process::sched_yield)?;
    to.visit("sock_accept", Instance, sockets::sock_accept)?;
    to.visit("sock_recv", Instance, sockets::sock_recv)?;
    to.visit("sock_send", Instance, sockets::sock_send)?;
    to.visit("sock_shutdown", Instance, sockets::sock_shutdown)?;
    Ok(())
}

struct Offers<'a, T: Send + 'static, B: Backend> {
    imports: &'a mut Imports<T, B>,
    config: Arc<WasiConfig>,
}

impl<T: Send + 'static, B: Backend> Visit for Offers<'_, T, B> {
    type Error = DuplicateImport;

    fn visit<P: Values>(
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
        let ty = match name {
            WITHOUT_RESULT => FuncType::of::<P, ()>(),
            _ => FuncType::of::<P, u32>(),
        };
        match self.config.has_outside(reach) {
            true => self.imports.func_values(MODULE, name, ty, f)?,
            false => self.imports.repeatable_func_values(MODULE, name, ty, f)?,
        };
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

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};
    use core::convert::Infallible;

    use chacha20::{
        ChaCha12Rng,
        rand_core::{Rng, SeedableRng},
    };
    use hotcell_core::ValType;

    use super::*;
    use crate::{config::ScratchLimits, errno::Errno, testing::Guest};

    /// Calls each function with what an attacker would pass.
    struct Attack {
        guest: Guest,
        random: ChaCha12Rng,
        names: Vec<String>,
    }

    /// Small numbers, the ends of the memory and of the numbers, and what is near them.
    const WORDS: [u32; 24] = [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        64,
        1023,
        1024,
        1025,
        4000,
        4088,
        4092,
        4095,
        4096,
        4097,
        1 << 31,
        (1 << 31) - 1,
        u32::MAX - 7,
        u32::MAX - 1,
        u32::MAX,
    ];
    const LONGS: [u64; 10] = [0, 1, 2, 6, 64, 100, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];

    impl Attack {
        fn value(&mut self, ty: ValType) -> Value {
            let number = self.random.next_u32() as usize;
            match ty {
                ValType::I64 => Value::I64(LONGS[number % LONGS.len()].cast_signed()),
                _ => Value::I32(WORDS[number % WORDS.len()].cast_signed()),
            }
        }
    }

    impl Visit for Attack {
        type Error = Infallible;

        fn visit<P: Values>(
            &mut self,
            name: &str,
            _reach: Reach,
            run: fn(&mut Call<'_>, P) -> Outcome,
        ) -> Result<(), Infallible> {
            self.names.push(name.into());
            for _ in 0..40 {
                let values: Vec<Value> = P::TYPES.iter().map(|ty| self.value(*ty)).collect();
                let before = self.guest.memory.clone();
                let params = P::from_values(&values).unwrap();
                let outcome = self.guest.call(run, params);
                if outcome == Err(Stop::Errno(Errno::Fault)) {
                    assert_eq!(self.guest.memory, before, "{name} {values:?}");
                }
                if name == WITHOUT_RESULT {
                    assert!(matches!(outcome, Err(Stop::Exit(_))), "{name} {outcome:?}");
                } else if !matches!(outcome, Ok(()) | Err(Stop::Errno(_))) {
                    panic!("{name} {values:?}: {outcome:?}");
                }
            }
            Ok(())
        }
    }

    /// Nothing panics, what is outside of the memory changes nothing, and limits hold, in whatever order.
    #[test]
    fn every_function_bears_every_argument() {
        for seed in 0..60 {
            let config = WasiConfig::sandbox().files("/data", [("a", "1"), ("b/c", "2")]).unwrap();
            let config = config.scratch("/tmp", ScratchLimits { bytes: 5000, entries: 9 }).unwrap();
            let mut guest = Guest::new(config);
            guest.memory = alloc::vec![0; 4096];
            let mut random = ChaCha12Rng::from_seed([seed; 32]);
            for at in (0..4096).step_by(4) {
                // Half of it is lists, flags and lengths that may do something.
                let word = WORDS[random.next_u32() as usize % WORDS.len()];
                let text =
                    [*b"a/b/", *b"a\0/.", *b"a../", *b"a\xff/b", *b"abcd", *b"/a/a"][random.next_u32() as usize % 6];
                guest.put(at, &if random.next_u32() % 2 == 0 { word.to_le_bytes() } else { text });
            }
            let mut attack = Attack { guest, random, names: Vec::new() };
            for _ in 0..4 {
                for_each(&mut attack).unwrap();
            }
            let names = &attack.names[..46];
            assert_eq!(attack.names.len(), 4 * 46);
            assert!(names.iter().enumerate().all(|(index, name)| !names[..index].contains(name)), "{names:?}");
            let files = WasiState::of(attack.guest.state).take_files("/tmp").unwrap();
            assert!(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= 5000);
            assert!(files.len() <= 9);
        }
    }
}
