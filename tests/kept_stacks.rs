//! The interpreter keeps next to nothing of a guest's stack after a call.

#![expect(unsafe_code, reason = "counting allocations takes an allocator, and that is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use hotcell::{Contract, Plugin, Policy, Sandbox, Value, Wasmi, policy::Metering};

/// Maximum growth of a plugin's memory by a deep call, with two worker threads.
const MOST: usize = 256 << 10;
/// Minimum bytes of a deep call.
const DEEP: usize = 1 << 20;

#[test]
fn a_deep_call_leaves_no_stack_behind() {
    for metering in [Metering::Exact, Metering::Engine] {
        let policy = Policy::default().with(|rules| rules.metering = metering).unwrap();
        let sandbox = Sandbox::<Wasmi>::on(policy).unwrap();
        let wasm = wat::parse_str(
            r#"(module
                (func $deep (export "deep") (param i32) (result i32)
                    (if (result i32) (local.get 0)
                        (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
                        (else (i32.const 0)))))"#,
        )
        .unwrap();
        let plugin = sandbox.load_with::<()>(&wasm, &sandbox.imports(), &Contract::None).unwrap();
        // As many threads as there may be engines, so that each has its own.
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| ends(&plugin, 10));
            }
        });
        let before = LIVE.load(Ordering::Relaxed);
        for how in [ends, overflows, in_a_session] {
            PEAK.store(before, Ordering::Relaxed);
            how(&plugin, 3_000);
            thread::scope(|scope| scope.spawn(|| how(&plugin, 3_000)).join().unwrap());
            let peak = PEAK.load(Ordering::Relaxed);
            assert!(peak > before + DEEP / 4, "{metering:?}: not deep: {} bytes", peak - before);
            let after = LIVE.load(Ordering::Relaxed);
            assert!(after < before + MOST, "{metering:?}: {} bytes are kept", after.saturating_sub(before));
        }
    }
    // In the same test, because others would allocate at the same time.
    a_large_frame_leaves_no_stack_behind();
}

/// A frame that does not fit is on the engine's stack, and costs no fuel.
fn a_large_frame_leaves_no_stack_behind() {
    const OPERANDS: usize = 16_000;
    let policy = Policy::default().with(|rules| rules.limits.stack_bytes = 64 << 10).unwrap();
    let sandbox = Sandbox::<Wasmi>::on(policy).unwrap();
    let (operands, drops) = ("(i32.load (i32.const 0)) ".repeat(OPERANDS), "drop ".repeat(OPERANDS));
    let text =
        format!(r#"(module (memory 1) (func (export "large") (local {}) {operands} {drops}))"#, "i64 ".repeat(4_000));
    let plugin = sandbox.load_with::<()>(&wat::parse_str(text).unwrap(), &sandbox.imports(), &Contract::None).unwrap();
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let error = plugin.call_values("large", &[], (), None).unwrap_err();
    assert_eq!((error.code(), error.report.usage.fuel_used), ("stack-overflow", Some(0)));
    assert!(PEAK.load(Ordering::Relaxed) > before + MOST, "the frame is not large");
    let after = LIVE.load(Ordering::Relaxed);
    assert!(after < before + MOST / 2, "{} bytes are kept", after.saturating_sub(before));
}

fn ends(plugin: &Plugin<Wasmi>, depth: i32) {
    let (values, _) = plugin.call_values("deep", &[Value::I32(depth)], (), None).unwrap();
    assert_eq!(values, [Value::I32(depth)]);
}

fn overflows(plugin: &Plugin<Wasmi>, _: i32) {
    let error = plugin.call_values("deep", &[Value::I32(i32::MAX)], (), None).unwrap_err();
    assert_eq!(error.code(), "stack-overflow");
}

fn in_a_session(plugin: &Plugin<Wasmi>, depth: i32) {
    let mut session = plugin.session(()).unwrap();
    let deep = session.func::<i32, i32>("deep").unwrap();
    assert_eq!(session.call_typed(&deep, depth).unwrap(), depth);
}

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller guarantees it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller guarantees it.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
