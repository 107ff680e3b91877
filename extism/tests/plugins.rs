//! Plugins that were made with Extism's kits: the same outputs, errors and numbers on every backend.

mod common;

use common::{Call, Outcome, fresh, in_session};
use hotcell_core::Policy;
use hotcell_extism::{ExtismConfig, HttpResponse, LogLevel, is_plugin};

const RUST: &[u8] = include_bytes!("../../guests/extism/words-rust.wasm");
const ASSEMBLYSCRIPT: &[u8] = include_bytes!("../../guests/extism/words-assemblyscript.wasm");

/// The one of AssemblyScript has a start function.
fn strict() -> Policy {
    Policy::strict().with(|rules| rules.module.start = true).unwrap()
}

fn each_kit(check: impl Fn(&[u8])) {
    [RUST, ASSEMBLYSCRIPT].into_iter().for_each(check);
}

fn one(module: &[u8], config: fn() -> ExtismConfig, call: Call<'_>) -> Outcome {
    fresh(module, &strict(), config, &[call]).remove(0)
}

#[test]
fn they_are_recognised() {
    each_kit(|module| assert!(is_plugin(module)));
    let other = wat::parse_str(r#"(module (import "env" "alloc" (func)) (memory 1))"#).unwrap();
    assert!(!is_plugin(&other) && !is_plugin(b"") && !is_plugin(&RUST[..8]));
}

#[test]
fn vowels_are_counted() {
    each_kit(|module| {
        let outcome = one(module, ExtismConfig::default, ("count_vowels", b"Hello, World!"));
        let text = str::from_utf8(outcome.bytes()).unwrap();
        assert_eq!(text, r#"{"count":3,"total":3,"vowels":"aeiouAEIOU"}"#);
        assert_eq!(outcome.usage.host_calls, 0, "what the kernel does is no call of a host function");
    });
}

#[test]
fn the_configuration_is_read() {
    let config = || ExtismConfig::default().with("vowels", "lo").with("other", "x");
    each_kit(|module| {
        let text = one(module, config, ("count_vowels", b"Hello, World!"));
        assert_eq!(text.bytes(), br#"{"count":5,"total":5,"vowels":"lo"}"#);
    });
}

#[test]
fn variables_stay_in_a_session_alone() {
    let calls: [Call<'_>; 4] =
        [("count_vowels", b"a"), ("count_vowels", b"be"), ("forget", b""), ("count_vowels", b"cd")];
    let total = |outcome: &Outcome| {
        let text = str::from_utf8(outcome.bytes()).unwrap().to_owned();
        text.split_once(r#""total":"#).map(|(_, rest)| rest.split(',').next().unwrap().to_owned())
    };
    each_kit(|module| {
        let outcomes = in_session(module, &strict(), ExtismConfig::default, &calls);
        assert_eq!(outcomes.iter().filter_map(total).collect::<Vec<_>>(), ["1", "2", "0"]);
        let outcomes = fresh(module, &strict(), ExtismConfig::default, &calls);
        assert_eq!(outcomes.iter().filter_map(total).collect::<Vec<_>>(), ["1", "1", "0"]);
    });
}

#[test]
fn a_large_input_is_echoed_under_a_limit_of_host_calls() {
    let policy = strict().with(|rules| rules.limits.host_calls = Some(0)).unwrap();
    let input: Vec<u8> = (0..1 << 20).map(|index: u32| ((index * 7) >> 3) as u8).collect();
    each_kit(|module| {
        for len in [0, 1, 7, 8, 9, 4_095, 4_097, 1 << 20] {
            let outcome = fresh(module, &policy, ExtismConfig::default, &[("echo", &input[..len])]).remove(0);
            assert!(outcome.bytes() == &input[..len], "{len} bytes");
            assert!(outcome.usage.peak_memory_bytes > 2 * len as u64, "input and output are the guest's memory");
        }
    });
}

#[test]
fn what_the_host_keeps_is_under_the_memory_budget() {
    let input = vec![7; 1 << 20];
    each_kit(|module| {
        let peak = one(module, ExtismConfig::default, ("echo", &input)).usage.peak_memory_bytes;
        let policy = |bytes| strict().with(|rules| rules.limits.memory_bytes = bytes).unwrap();
        let enough = fresh(module, &policy(peak), ExtismConfig::default, &[("echo", &input)]);
        assert!(enough[0].reply.is_ok());
        let less = fresh(module, &policy(peak - 1), ExtismConfig::default, &[("echo", &input)]);
        assert!(less[0].usage.refused_growths > 0 && less[0].usage.peak_memory_bytes < peak);
        assert_ne!(less[0].reply.as_deref(), Ok(input.as_slice()));
        let none = fresh(module, &policy(2 << 20), ExtismConfig::default, &[("echo", &vec![7; 2 << 20])]);
        assert_eq!(none[0].code(), "bad-alloc");
    });
}

#[test]
fn a_session_gives_back_what_a_call_has_used() {
    let input = vec![7; 1 << 20];
    let calls = [("echo", input.as_slice()); 8];
    each_kit(|module| {
        let outcomes = in_session(module, &strict(), ExtismConfig::default, &calls);
        assert_eq!(outcomes[6].usage, outcomes[7].usage);
    });
}

#[test]
fn an_error_has_its_text_and_leaves_a_session_usable() {
    let calls: [Call<'_>; 2] = [("fail", b"no \x1b[31m such word"), ("echo", b"still here")];
    each_kit(|module| {
        let outcomes = in_session(module, &strict(), ExtismConfig::default, &calls);
        assert_eq!(outcomes[0].code(), "guest-error");
        assert_eq!(outcomes[0].message(), r"the guest reports: no \u{1b}[31m such word");
        assert_eq!(outcomes[1].bytes(), b"still here");
    });
}

#[test]
fn who_gives_up_is_poisoned() {
    let calls: [Call<'_>; 2] = [("panics", b"lost"), ("echo", b"?")];
    let outcomes = in_session(ASSEMBLYSCRIPT, &strict(), ExtismConfig::default, &calls);
    assert_eq!((outcomes[0].code(), outcomes[0].message()), ("guest-error", "the guest reports: lost"));
    assert_eq!(outcomes[1].code(), "poisoned");
    let outcomes = in_session(RUST, &strict(), ExtismConfig::default, &calls);
    assert_eq!((outcomes[0].code(), outcomes[1].code()), ("trap-unreachable", "poisoned"));
}

fn level(log_level: LogLevel) -> ExtismConfig {
    let mut config = ExtismConfig::default();
    config.log_level = log_level;
    config
}

#[test]
fn messages_of_the_log_are_in_the_report() {
    each_kit(|module| {
        let outcome = one(module, ExtismConfig::default, ("say", b"hello"));
        assert_eq!(outcome.log, b"info: hello\n");
        let all = || level(LogLevel::Trace);
        assert_eq!(one(module, all, ("say", b"hello")).log, b"info: hello\ndebug: hello, in detail\n");
        let none = || level(LogLevel::Off);
        assert_eq!(one(module, none, ("say", b"hello")).log, b"");
    });
}

#[test]
fn entries_that_are_not_there_or_of_another_type() {
    each_kit(|module| {
        assert_eq!(one(module, ExtismConfig::default, ("nobody", b"")).code(), "no-such-export");
    });
    let module =
        wat::parse_str(r#"(module (import "extism:host/env" "reset" (func)) (func (export "entry") (param i32)))"#);
    assert_eq!(one(&module.unwrap(), ExtismConfig::default, ("entry", b"")).code(), "wrong-arguments");
}

/// A guest that asks for a request and gives what comes of it: body, then headers, then a digit of the status.
const REQUEST: &str = r#"(module
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "http_request" (func $request (param i64 i64) (result i64)))
    (import "extism:host/env" "http_status_code" (func $status (result i32)))
    (import "extism:host/env" "http_headers" (func $headers (result i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (func (export "body") (result i32) (local i64)
        (local.set 0 (call $request (call $input) (i64.const 0)))
        (call $output (local.get 0) (call $length (local.get 0)))
        (i32.const 0))
    (func (export "headers") (result i32) (local i64)
        (drop (call $request (call $input) (i64.const 0)))
        (local.set 0 (call $headers))
        (call $output (local.get 0) (call $length (local.get 0)))
        (i32.const 0))
    (func (export "status") (result i32)
        (drop (call $request (call $input) (i64.const 0)))
        (call $status)))"#;

#[test]
fn requests_are_the_hosts_to_make() {
    let module = wat::parse_str(REQUEST).unwrap();
    let refused = one(&module, ExtismConfig::default, ("body", b"{}"));
    assert_eq!(refused.code(), "host-function");
    assert!(refused.message().contains("hotcell offers no HTTP unless the host does"), "{}", refused.message());

    let http = || {
        ExtismConfig::default().http(|request, body| {
            assert!(body.is_empty());
            Ok(HttpResponse { status: 3, headers: "{\"a\":1}".to_owned(), body: [b"to ", request].concat() })
        })
    };
    let calls: [Call<'_>; 3] = [("body", b"{}"), ("headers", b"{}"), ("status", b"{}")];
    let outcomes = fresh(&module, &strict(), http, &calls);
    assert_eq!((outcomes[0].bytes(), outcomes[1].bytes()), (&b"to {}"[..], &b"{\"a\":1}"[..]));
    assert_eq!(outcomes[2].message(), "the guest reports: it returned 3");
    assert_eq!(outcomes[0].usage.host_calls, 1, "this is a call of a host function");
}
