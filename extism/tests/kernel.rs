//! Every function of the kernel as a guest calls it, with what hostile guests pass.

mod common;

use common::{Outcome, fresh, in_session};
use hotcell_core::{Contract, Loader, Offered, Policy};
use hotcell_extism::{ExtismConfig, MODULE, offer, signatures};
use hotcell_wasmi::Wasmi;

/// What every guest below imports, and how it gives a number back: as text of 8 bytes.
const IMPORTS: &str = r#"
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "free" (func $free (param i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "length_unsafe" (func $length_unsafe (param i64) (result i64)))
    (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
    (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
    (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
    (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
    (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
    (import "extism:host/env" "input_load_u64" (func $input_load_u64 (param i64) (result i64)))
    (import "extism:host/env" "input_set" (func $input_set (param i64 i64)))
    (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
    (import "extism:host/env" "input_length" (func $input_length (result i64)))
    (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
    (import "extism:host/env" "output_offset" (func $output_offset (result i64)))
    (import "extism:host/env" "output_length" (func $output_length (result i64)))
    (import "extism:host/env" "error_set" (func $error_set (param i64)))
    (import "extism:host/env" "error_get" (func $error_get (result i64)))
    (import "extism:host/env" "reset" (func $reset))
    (import "extism:host/env" "memory_bytes" (func $memory_bytes (result i64)))
    (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
    (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
    (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
    (import "extism:host/env" "log_info" (func $log_info (param i64)))
    (import "extism:host/env" "get_log_level" (func $get_log_level (result i32)))
    (import "extism:host/env" "http_request" (func $http_request (param i64 i64) (result i64)))
    (import "extism:host/user" "reverse" (func $reverse (param i64) (result i64)))
    (func $give (param $value i64) (local $at i64)
        (local.set $at (call $alloc (i64.const 8)))
        (call $store_u64 (local.get $at) (local.get $value))
        (call $output_set (local.get $at) (i64.const 8)))
"#;

/// A guest whose entry `run` has this body.
fn guest(body: &str) -> Vec<u8> {
    let text =
        format!(r#"(module {IMPORTS} (func (export "run") (local $a i64) (local $b i64) (local $n i64) {body}))"#);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn run_under(policy: &Policy, body: &str) -> Outcome {
    fresh(&guest(body), policy, || ExtismConfig::default().with("key", "value"), &[("run", b"0123456789")]).remove(0)
}

fn run(body: &str) -> Outcome {
    run_under(&Policy::strict(), body)
}

/// The number that the guest gives.
fn number(expression: &str) -> u64 {
    let outcome = run(&format!("(call $give {expression})"));
    u64::from_le_bytes(outcome.bytes().try_into().unwrap())
}

/// Addresses and lengths that guests try.
const HOSTILE: [&str; 9] = ["0", "1", "15", "63", "65", "4095", "0x7fffffff", "0x7fffffffffffffff", "-1"];

#[test]
fn the_table_is_what_is_offered() {
    let loader = Loader::<Wasmi>::new(Policy::strict(), &Default::default(), &Default::default()).unwrap();
    let mut imports = loader.imports::<()>();
    offer(&mut imports, ExtismConfig::default()).unwrap();
    let mut offered = Offered::default();
    signatures().for_each(|signature| offered.offer(signature).unwrap());
    assert_eq!(*imports.offered(), offered);
    assert!(offer(&mut imports, ExtismConfig::default()).is_err(), "twice");
    let error = loader.load(&guest(""), &imports, &Contract::None).map(drop).unwrap_err();
    assert!(error.to_string().contains("reverse") && !error.to_string().contains(MODULE), "{error}");
}

#[test]
fn no_memory_is_no_block() {
    for len in ["0", "-1", "0x400000000001", "0x7fffffffffffffff"] {
        assert_eq!(number(&format!("(call $alloc (i64.const {len}))")), 0, "{len}");
    }
    assert_ne!(number("(call $alloc (i64.const 1))"), 0);
}

#[test]
fn only_a_handle_has_a_length() {
    for length in ["length", "length_unsafe"] {
        for handle in HOSTILE {
            assert_eq!(number(&format!("(call ${length} (i64.const {handle}))")), 0, "{handle}");
        }
        assert_eq!(number(&format!("(call ${length} (call $input_offset))")), 10);
        assert_eq!(number(&format!("(call ${length} (i64.add (call $input_offset) (i64.const 1)))")), 0);
    }
}

#[test]
fn what_is_outside_is_zero_and_stays() {
    for at in ["0", "1", "63", "4096", "4089", "0x7fffffffffffffff", "-1", "-8"] {
        assert_eq!(number(&format!("(call $load_u64 (i64.const {at}))")), 0, "{at}");
        assert_eq!(number(&format!("(i64.extend_i32_u (call $load_u8 (i64.const {at})))")), 0, "{at}");
        let outcome = run(&format!(
            "(call $store_u64 (i64.const {at}) (i64.const -1)) (call $store_u8 (i64.const {at}) (i32.const -1))
             (call $output_set (call $input_offset) (call $input_length))"
        ));
        assert_eq!(outcome.bytes(), b"0123456789", "{at}");
    }
}

#[test]
fn the_input_is_read_within_its_bounds() {
    assert_eq!(number("(call $input_load_u64 (i64.const 2))").to_le_bytes(), *b"23456789");
    assert_eq!(number("(i64.extend_i32_u (call $input_load_u8 (i64.const 9)))"), u64::from(b'9'));
    for at in ["3", "10", "-1", "-8", "0x7fffffffffffffff"] {
        assert_eq!(number(&format!("(call $input_load_u64 (i64.const {at}))")), 0, "{at}");
    }
    for at in ["10", "-1", "0x7fffffffffffffff"] {
        assert_eq!(number(&format!("(i64.extend_i32_u (call $input_load_u8 (i64.const {at})))")), 0, "{at}");
    }
    for (at, len) in [("0", "1"), ("64", "-1"), ("-1", "1"), ("64", "0x7fffffffffffffff"), ("4096", "0")] {
        let body = format!("(call $input_set (i64.const {at}) (i64.const {len})) (call $give (call $input_length))");
        assert_eq!(run(&body).bytes(), 10u64.to_le_bytes(), "{at} {len}");
    }
    let freed = "(call $free (call $input_offset)) (call $give (call $input_length))";
    assert_eq!(run(freed).bytes(), 0u64.to_le_bytes());
}

#[test]
fn an_output_is_a_range_of_the_memory() {
    assert_eq!(run("").bytes(), b"");
    assert_eq!(run("(call $output_set (i64.add (call $input_offset) (i64.const 2)) (i64.const 3))").bytes(), b"234");
    for (at, len) in [("0", "5"), ("-1", "1"), ("64", "-1"), ("64", "4033"), ("64", "0x7fffffffffffffff")] {
        assert_eq!(run(&format!("(call $output_set (i64.const {at}) (i64.const {len}))")).bytes(), b"", "{at} {len}");
    }
    let after_free = "(local.set $a (call $input_offset)) (call $free (local.get $a))
                      (call $output_set (local.get $a) (i64.const 10))";
    assert_eq!(run(after_free).bytes(), b"0123456789");
    assert_eq!(number("(i64.add (call $output_offset) (call $output_length))"), 0);
}

#[test]
fn an_output_is_held_to_its_limit() {
    let policy = Policy::strict().with(|rules| rules.limits.output_bytes = 9).unwrap();
    let echo = "(call $output_set (call $input_offset) (call $input_length))";
    assert_eq!(run_under(&policy, echo).code(), "output-too-large");
    let policy = Policy::strict().with(|rules| rules.limits.input_bytes = 9).unwrap();
    assert_eq!(run_under(&policy, echo).code(), "input-too-large");
}

#[test]
fn an_error_fails_the_call() {
    let outcome = run("(call $error_set (call $input_offset))");
    assert_eq!((outcome.code(), outcome.message()), ("guest-error", "the guest reports: 0123456789"));
    assert_eq!(run("(call $error_set (call $input_offset)) (call $error_set (i64.const 0))").bytes(), b"");
    for at in HOSTILE.into_iter().filter(|at| !["65", "4095"].contains(at)) {
        assert_eq!(run(&format!("(call $error_set (i64.const {at}))")).bytes(), b"", "{at}");
    }
    assert_eq!(run("(call $error_set (i64.const 65))").message(), "the guest reports: ");
    assert_eq!(number("(call $error_get)"), 0);
    let trap = "(call $error_set (call $input_offset)) unreachable";
    assert_eq!(run(trap).message(), "the guest reports: 0123456789");
    assert_eq!(run("unreachable").code(), "trap-unreachable");
}

#[test]
fn handles_are_consumed() {
    let takes = [
        "(drop (call $config_get (local.get $a)))",
        "(drop (call $var_get (local.get $a)))",
        "(call $var_set (local.get $a) (i64.const 0))",
        "(call $log_info (local.get $a))",
    ];
    for take in takes {
        let body =
            format!("(local.set $a (call $alloc (i64.const 3))) {take} (call $give (call $length (local.get $a)))");
        assert_eq!(run(&body).bytes(), 0u64.to_le_bytes(), "{take}");
    }
    let both = "(local.set $a (call $alloc (i64.const 3))) (local.set $b (call $alloc (i64.const 30)))
        (call $var_set (local.get $a) (local.get $b))
        (call $give (i64.add (call $length (local.get $a)) (call $length (local.get $b))))";
    assert_eq!(run(both).bytes(), 0u64.to_le_bytes());
}

#[test]
fn what_is_no_handle_ends_the_call() {
    for handle in HOSTILE.into_iter().skip(1) {
        for take in [
            format!("(drop (call $config_get (i64.const {handle})))"),
            format!("(drop (call $var_get (i64.const {handle})))"),
            format!("(call $var_set (i64.const {handle}) (i64.const 0))"),
            format!("(call $var_set (call $input_offset) (i64.const {handle}))"),
            format!("(call $log_info (i64.const {handle}))"),
            format!("(drop (call $reverse (i64.const {handle})))"),
        ] {
            let outcome = run(&take);
            assert_eq!(outcome.code(), "guest-error", "{take}");
            assert!(outcome.message().contains("is no block of memory"), "{take}: {}", outcome.message());
        }
        assert_eq!(
            run(&format!("(drop (call $http_request (i64.const {handle}) (i64.const 0)))")).code(),
            "host-function"
        );
        assert_eq!(run(&format!("(call $free (i64.const {handle}))")).bytes(), b"");
    }
    assert_eq!(run("(call $log_info (i64.const 0))").log, b"info: \n");
}

#[test]
fn variables_have_a_limit_of_their_own() {
    let set = |len: u32| {
        format!(
            "(local.set $a (call $alloc (i64.const 1))) (call $store_u8 (local.get $a) (i32.const 107))
             (call $var_set (local.get $a) (call $alloc (i64.const {len})))"
        )
    };
    let most = (1 << 20) - 64 - 1;
    assert_eq!(run(&format!("{0} {0}", set(most))).bytes(), b"", "one takes the other's place");
    let outcome = run(&set(most + 1));
    assert_eq!(outcome.message(), "the guest reports: there is no room for a variable of 1048512 bytes");
}

#[test]
fn a_reset_gives_memory_back() {
    let policy = Policy::strict().with(|rules| rules.limits.memory_bytes = 1 << 20).unwrap();
    let body = "(local.set $n (i64.const 100))
        (loop $again
            (call $reset)
            (if (i64.eqz (call $alloc (i64.const 1000000))) (then unreachable))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))";
    assert_eq!(run_under(&policy, body).bytes(), b"");
    assert_eq!(run("(call $reset) (call $give (call $memory_bytes))").bytes(), 0u64.to_le_bytes());
}

#[test]
fn blocks_without_end_are_refused_in_time() {
    let without_end = "(loop $again (drop (call $alloc (i64.const 1))) (br $again))";
    let policy = Policy::strict().with(|rules| {
        (rules.limits.memory_bytes, rules.limits.fuel) = (4 << 20, Some(2_000_000));
    });
    let outcome = run_under(&policy.unwrap(), without_end);
    assert_eq!(outcome.code(), "out-of-fuel");
    assert!(outcome.usage.refused_growths > 0 && outcome.usage.peak_memory_bytes <= 4 << 20);
}

#[test]
fn the_guest_pays_for_what_is_moved() {
    let fuel = |len: u32| run(&format!("(drop (call $alloc (i64.const {len})))")).usage.fuel_used.unwrap();
    let (little, much) = (fuel(1), fuel(16 << 20));
    assert!((1_000_000..1_100_000).contains(&(much - little)), "{little} {much}");
    let policy = Policy::strict().with(|rules| rules.limits.fuel = Some(1_000_000)).unwrap();
    assert_eq!(run_under(&policy, "(drop (call $alloc (i64.const 16777216)))").code(), "out-of-fuel");
}

#[test]
fn functions_of_the_embedder_use_blocks() {
    let body = "(local.set $a (call $reverse (call $input_offset)))
        (call $output_set (local.get $a) (call $length (local.get $a)))";
    let outcome = run(body);
    assert_eq!((outcome.bytes(), outcome.usage.host_calls), (&b"9876543210"[..], 1));
}

#[test]
fn languages_are_set_up_once() {
    let module = |export: &str, ty: &str| {
        let text = format!(
            r#"(module {IMPORTS} (global $count (mut i64) (i64.const 0))
                (func (export "{export}") {ty} (global.set $count (i64.add (global.get $count) (i64.const 1))))
                (func (export "run") (call $give (global.get $count))))"#
        );
        wat::parse_str(&text).unwrap()
    };
    let set_up = [module("hs_init", "(param i32 i32)"), module("__wasm_call_ctors", ""), module("_initialize", "")];
    for module in set_up {
        let outcomes = in_session(&module, &Policy::strict(), ExtismConfig::default, &[("run", b"".as_slice()); 2]);
        outcomes.iter().for_each(|outcome| assert_eq!(outcome.bytes(), 1u64.to_le_bytes()));
    }
    let other = module("hs_init", "(param i64)");
    let outcome = fresh(&other, &Policy::strict(), ExtismConfig::default, &[("run", b"")]).remove(0);
    assert_eq!(outcome.bytes(), 0u64.to_le_bytes(), "what has another type is another thing");
}
