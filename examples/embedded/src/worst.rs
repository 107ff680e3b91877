//! The cost of the most expensive modules that the policy admits. `build/worst.rs` makes them.

use cortex_m_semihosting::hprintln;

use crate::{
    Surprise, heap,
    host::{ENTRY, Host},
    policy::policy,
};

static MODULES: [(&str, &[u8]); 5] = [
    ("code", include_bytes!(concat!(env!("OUT_DIR"), "/code.wasm"))),
    ("calls", include_bytes!(concat!(env!("OUT_DIR"), "/calls.wasm"))),
    ("entities", include_bytes!(concat!(env!("OUT_DIR"), "/entities.wasm"))),
    ("memory at the start", include_bytes!(concat!(env!("OUT_DIR"), "/memory.wasm"))),
    ("memory that grows", include_bytes!(concat!(env!("OUT_DIR"), "/greedy.wasm"))),
];

pub(crate) fn run(host: &Host) -> Result<(), Surprise> {
    for (name, bytes) in MODULES {
        heap::forget_peak();
        let begin = host.now();
        let plugin = host.load(bytes, policy())?;
        let lasted = host.now().since(begin);
        hprintln!("most {name}: {} bytes, loaded in {} ms", bytes.len(), lasted.as_millis());
        hprintln!("  heap: {} bytes at most while loading, {} after", heap::peak(), heap::used());
        heap::forget_peak();
        plugin.call(ENTRY, &[])?;
        hprintln!("  heap: {} bytes at most while calling", heap::peak());
    }
    Ok(())
}
