use hotcell::{Contract, Policy, Wasmi, Wasmtime, backend::Backend};
use hotcell_bench::{
    guests::{ECHO, assemble},
    paired::{Pair, Side, side},
};

use crate::{Effort, id, load};

pub(crate) fn report(effort: Effort) {
    let wasm = assemble(ECHO);
    row::<Wasmtime>(effort, &wasm, wasmtime_tutorial(&wasm));
    row::<Wasmi>(effort, &wasm, wasmi_tutorial(&wasm));
}

fn row<B: Backend>(effort: Effort, wasm: &[u8], tutorial: Side) {
    let plugin = load::<B>(wasm, Policy::default(), &Contract::bytes("process"), 256);
    let ours = side(move || plugin.call("process", &[7; 64]).expect("the guest answers"));
    let mut pair = Pair::new([(tutorial, ours)]);
    if effort.is_test {
        pair.round(1);
    } else {
        pair.measure();
    }
    let (ratio, (tutorial, ours)) = (pair.ratio(), pair.seconds());
    let us = 1e6;
    println!(
        "  {:<9} {:.2} µs, hotcell {:.2} µs: {:.2} times ({:.2} to {:.2})",
        id::<B>(),
        tutorial * us,
        ours * us,
        ratio.median,
        ratio.low,
        ratio.high
    );
}

fn wasmtime_tutorial(wasm: &[u8]) -> Side {
    let engine = wasmtime::Engine::default();
    let module = wasmtime::Module::new(&engine, wasm).expect("the module compiles");
    side(move || {
        let linker = wasmtime::Linker::new(&engine);
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).expect("the module instantiates");
        let memory = instance.get_memory(&mut store, "memory").expect("a memory");
        let alloc = instance.get_typed_func::<u32, u32>(&mut store, "alloc").expect("a function");
        let process = instance.get_typed_func::<(u32, u32), u64>(&mut store, "process").expect("a function");
        let at = alloc.call(&mut store, 64).expect("the guest has room");
        memory.write(&mut store, at as usize, &[7; 64]).expect("it fits");
        let packed = process.call(&mut store, (at, 64)).expect("the guest answers");
        let mut reply = vec![0; packed as u32 as usize];
        memory.read(&store, (packed >> 32) as usize, &mut reply).expect("the reply is there");
        reply
    })
}

fn wasmi_tutorial(wasm: &[u8]) -> Side {
    let engine = wasmi::Engine::default();
    let module = wasmi::Module::new(&engine, wasm).expect("the module compiles");
    side(move || {
        let linker = wasmi::Linker::new(&engine);
        let mut store = wasmi::Store::new(&engine, ());
        let instance = linker.instantiate_and_start(&mut store, &module).expect("the module instantiates");
        let memory = instance.get_memory(&store, "memory").expect("a memory");
        let alloc = instance.get_typed_func::<u32, u32>(&store, "alloc").expect("a function");
        let process = instance.get_typed_func::<(u32, u32), u64>(&store, "process").expect("a function");
        let at = alloc.call(&mut store, 64).expect("the guest has room");
        memory.write(&mut store, at as usize, &[7; 64]).expect("it fits");
        let packed = process.call(&mut store, (at, 64)).expect("the guest answers");
        let mut reply = vec![0; packed as u32 as usize];
        memory.read(&store, (packed >> 32) as usize, &mut reply).expect("the reply is there");
        reply
    })
}
