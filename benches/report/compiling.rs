//! What the rewrite for exact metering adds to compiling.

use hotcell::{Contract, Offered, Policy, Signature, ValType, admit, admit::FuncType};
use hotcell_bench::paired::ThreadTime;
use wasmtime::{Engine, Module};

use crate::Effort;

/// Rounds of both sides in turns. The least time of each counts: other programs only add to it.
const ROUNDS: usize = 31;

/// Every guest, and its entry.
const MODULES: [(&str, &[u8], &str); 5] = [
    ("markdown", include_bytes!("../../guests/markdown.wasm"), "process"),
    ("kernels", include_bytes!("../../guests/kernels.wasm"), "hash"),
    ("ledger-check", include_bytes!("../../guests/ledger-check.wasm"), "process"),
    ("kv", include_bytes!("../../guests/kv.wasm"), "process"),
    ("wordcount", include_bytes!("../../guests/wordcount.wasm"), "process"),
];

/// For each guest, the rewritten module against the original: processor time of compiling, and bytes of code.
pub(crate) fn report(effort: Effort) {
    let policy = Policy::default();
    let engine = Engine::new(&hotcell_wasmtime::config::sandbox_config(&policy)).expect("the configuration");
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    println!("  {:<14} {:>7} {:>7} {:>12} {:>13}", "", "time", "code", "time", "code");
    for (name, original, entry) in MODULES {
        let admitted = admit(original, &policy, &offered(), &Contract::bytes(entry)).expect("the guest is admitted");
        let sides = [admitted.bytes(), original];
        let code = sides.map(|wasm| code_bytes(&compile(&engine, wasm)));
        let seconds = least_seconds(&engine, sides, effort);
        let (time, size) = (seconds[0] / seconds[1], code[0] / code[1]);
        let (milliseconds, kib) = (seconds[0] * 1e3, code[0] / 1024.0);
        println!("  {name:<14} {time:>7.3} {size:>7.3} {milliseconds:>9.1} ms {kib:>9.1} KiB");
        times.push(time);
        sizes.push(size);
    }
    println!("  {:<14} {:>7.3} {:>7.3}", "geometric mean", geometric_mean(&times), geometric_mean(&sizes));
}

/// What the guests import.
fn offered() -> Offered {
    use ValType::I32;
    let mut offered = Offered::default();
    for (name, params, results) in [("get", 4, 1), ("put", 4, 1), ("log", 2, 0)] {
        let ty = FuncType { params: vec![I32; params], results: vec![I32; results] };
        offered.offer(Signature { module: "env".to_owned(), name: name.to_owned(), ty }).expect("the name is free");
    }
    offered
}

/// Without the padding of the image.
fn code_bytes(module: &Module) -> f64 {
    module.functions().map(|function| function.len).sum::<usize>() as f64
}

fn compile(engine: &Engine, wasm: &[u8]) -> Module {
    Module::new(engine, wasm).expect("it compiles")
}

/// Processor seconds of this thread, which does all of the compiling.
fn least_seconds(engine: &Engine, sides: [&[u8]; 2], effort: Effort) -> [f64; 2] {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..effort.of(ROUNDS) {
        for (least, wasm) in least.iter_mut().zip(sides) {
            let begin = ThreadTime::now();
            let module = compile(engine, wasm);
            *least = least.min(begin.elapsed().as_secs_f64());
            drop(module);
        }
    }
    least
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}
