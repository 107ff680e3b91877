use hotcell::{Contract, Policy, Sandbox, backend::Backend};
use hotcell_bench::guests::{ECHO, assemble};

use crate::{Effort, id, load};

pub(crate) fn report<B: Backend>(effort: Effort) {
    let wasm = assemble(ECHO);
    idle_instances::<B>(&wasm, effort.of(1_000));
    loads::<B>(&wasm, effort.of(10_000));
}

fn idle_instances<B: Backend>(wasm: &[u8], count: usize) {
    let plugin = load::<B>(wasm, Policy::default(), &Contract::bytes("process"), count as u32);
    plugin.call("process", &[7; 64]).expect("the guest answers");
    let before = resident();
    let sessions: Vec<_> = (0..count)
        .map(|_| {
            let mut session = plugin.session(()).expect("there is room");
            session.call("process", &[7; 64]).expect("the guest answers");
            session
        })
        .collect();
    let each = resident().zip(before).map(|(after, before)| after.saturating_sub(before) / sessions.len() as u64);
    println!("  {:<9} {} a live instance of a guest of 64 KiB, over {count}", id::<B>(), kib(each));
}

fn loads<B: Backend>(wasm: &[u8], count: usize) {
    let sandbox = Sandbox::<B>::on(Policy::default()).expect("the backend takes the policy");
    let mut seen = Vec::new();
    for number in 1..=count {
        sandbox.load(wasm, "process").expect("the guest loads").call("process", b"x").expect("the guest answers");
        if number == count.div_ceil(10) || number == count {
            seen.push(kib(resident()));
        }
    }
    println!(
        "  {:<9} {} in use after {count} loads, {} after the first tenth",
        id::<B>(),
        seen[seen.len() - 1],
        seen[0]
    );
}

/// Resident memory of this process, in bytes; `None` if unknown.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

fn kib(bytes: Option<u64>) -> String {
    bytes.map_or("an unknown amount".to_owned(), |bytes| format!("{:.1} KiB", bytes as f64 / 1024.0))
}
