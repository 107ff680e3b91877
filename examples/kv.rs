//! A host that gives a plugin a store, a log with caps, and a slow storage backend that it waits for off the clock.
//!
//! `cargo run --release --example kv` runs the plugin on both backends and checks that they agree.

use std::{collections::BTreeMap, error::Error, thread, time::Duration};

use hotcell::{
    Contract, HostError, Imports, Policy, Sandbox,
    backend::{Backend, HostFn},
    verdict::Escaped,
};

/// Maximum bytes that one call may log, and maximum lines.
const LOG_BYTES: usize = 4 << 10;
const LOG_LINES: usize = 100;
/// Maximum bytes in the store of one plugin.
const STORE_BYTES: usize = 64 << 10;
/// Time that the storage backend takes for a value.
const SLOWNESS: Duration = Duration::from_millis(20);

/// The state of one instance of the plugin.
#[derive(Default)]
struct Store {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    log: Vec<String>,
}

impl Store {
    fn bytes(&self) -> usize {
        self.values.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the log is full: {LOG_LINES} lines or {LOG_BYTES} bytes")]
struct LogFull;

/// The signatures of the host functions, so that they can be written once for every backend.
trait Host: Backend + HostFn<(u32, u32, u32, u32), i32> + HostFn<(u32, u32), ()> {}
impl<B: Backend + HostFn<(u32, u32, u32, u32), i32> + HostFn<(u32, u32), ()>> Host for B {}

fn host_functions<B: Host>(sandbox: &Sandbox<B>) -> Result<Imports<Store, B>, Box<dyn Error>> {
    let mut imports = sandbox.imports::<Store>();
    imports.func("env", "get", |cx, (key, key_len, out, capacity): (u32, u32, u32, u32)| {
        let key = cx.read(key, key_len)?.to_vec();
        // The guest pays for the lookup, but not for the time of the storage backend.
        cx.charge(100)?;
        cx.off_the_clock(|| thread::sleep(SLOWNESS));
        let Some(value) = cx.state().values.get(&key).cloned() else {
            return Ok(-1);
        };
        let fits = value.len().min(capacity as usize);
        cx.write(out, &value[..fits])?;
        Ok(i32::try_from(value.len())?)
    })?;
    imports.func("env", "put", |cx, (key, key_len, value, value_len): (u32, u32, u32, u32)| {
        let key = cx.read(key, key_len)?.to_vec();
        let value = cx.read(value, value_len)?.to_vec();
        let store = cx.state();
        if store.bytes() + key.len() + value.len() > STORE_BYTES {
            return Ok(-1);
        }
        store.values.insert(key, value);
        Ok(0)
    })?;
    imports.func("env", "log", |cx, (line, len): (u32, u32)| {
        let line = String::from_utf8_lossy(cx.read(line, len)?).into_owned();
        let log = &mut cx.state().log;
        let bytes: usize = log.iter().map(String::len).sum();
        if log.len() >= LOG_LINES || bytes + line.len() > LOG_BYTES {
            return Err(HostError::from(LogFull));
        }
        log.push(line);
        Ok(())
    })?;
    Ok(imports)
}

/// Runs the plugin once and returns its reply.
fn run<B: Host>() -> Result<Vec<u8>, Box<dyn Error>> {
    let sandbox = Sandbox::<B>::on(Policy::strict())?;
    let imports = host_functions(&sandbox)?;
    let plugin = sandbox.load_with(include_bytes!("../guests/kv.wasm"), &imports, &Contract::bytes("process"))?;

    let mut session = plugin.session(Store::default())?;
    let reply = session.call("process", b"put colour green\nget colour\nincr visits\nincr visits\nget nothing\n")?;
    let report = &reply.report;
    println!(
        "{} {}: {} fuel, {} host calls, {:?} in the guest, {:?} off the clock",
        report.backend,
        report.backend_version,
        report.usage.fuel_used.unwrap_or(0),
        report.usage.host_calls,
        report.guest_time,
        report.host_time,
    );
    for line in &session.state().log {
        println!("  log: {}", Escaped(line));
    }
    Ok(reply.bytes)
}

fn main() -> Result<(), Box<dyn Error>> {
    let reply = run::<hotcell::Wasmtime>()?;
    print!("{}", String::from_utf8_lossy(&reply));
    assert_eq!(reply, run::<hotcell::Wasmi>()?, "the backends agree");
    Ok(())
}
