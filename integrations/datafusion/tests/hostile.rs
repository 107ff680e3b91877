//! Guests that loop, trap, grow and lie: the query fails, by name, on every engine, and its neighbours live on.

mod common;

use common::{BATCH_ROWS, ENGINES, answering, failure, fuel, functions, guest, reply, run, session, table};
use datafusion::prelude::SessionContext;
use hotcell_datafusion::Function;

const QUERY: &str = "SELECT f(n) FROM numbers";

async fn with(engine: &str, function: Function) -> SessionContext {
    let functions = functions(engine).build();
    let context = session(&functions);
    run(&context, "CREATE FUNCTION luhn(TEXT) RETURNS BOOLEAN LANGUAGE wasm AS 'luhn.wasm'").await.unwrap();
    context.register_udf(functions.create(function).unwrap());
    context
}

/// The query fails with this code and these words; the good function answers at the same time, and afterwards.
async fn fails(function: Function, code: &str, words: &str) {
    const GOOD: &str = "SELECT count(*) FROM numbers WHERE luhn(text)";
    for engine in ENGINES {
        let context = with(engine, function.clone()).await;
        let expected = table(&context, GOOD).await;
        let (message, neighbour) = tokio::join!(failure(&context, QUERY), table(&context, GOOD));
        assert!(message.starts_with("function f, partition "), "{engine}: {message}");
        assert!(message.contains(&format!(": {code} (blame: guest): ")), "{engine}: {message}");
        assert!(message.contains(words), "{engine}: {message}");
        assert_eq!(neighbour, expected, "{engine}");
        assert_eq!(table(&context, GOOD).await, expected, "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_runs_out_of_fuel() {
    let function = guest("(loop $l (br $l)) (i64.const 0)", b"").limits(fuel(1_000_000));
    fails(function, "out-of-fuel", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_named_with_its_batch() {
    fails(guest("(unreachable)", b""), "trap-unreachable", "").await;
    // The trap is in the second batch of the first partition.
    let body = format!(
        "(if (i64.eq (i64.load offset=64 (local.get $ptr)) (i64.const 1000)) (then (unreachable))) (i64.const {})",
        4096_u64 << 32 | 8_040
    );
    let context = with("wasmtime", guest(&body, &reply(1_000, &[7; BATCH_ROWS]))).await;
    let message = failure(&context, "SELECT f(n) FROM numbers").await;
    assert!(message.contains(", partition 0, rows 1000..2000: trap-unreachable"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn growth_is_refused_and_the_guest_fails_by_itself() {
    let body = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    fails(guest(body, b""), "trap-unreachable", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_outside_of_the_memory_is_no_reply() {
    let place = 0xffff_0000_0000_0010_u64.cast_signed();
    fails(guest(&format!("(i64.const {place})"), b""), "bad-output", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_and_too_few_rows_are_counted() {
    let numbers = vec![1; BATCH_ROWS + 1];
    fails(answering(&reply(1_001, &numbers)), "wrong-rows", "the reply has 1001 rows, the batch has 1000").await;
    fails(answering(&reply(999, &numbers)), "wrong-rows", "the reply has 999 rows, the batch has 1000").await;
    fails(answering(&reply(u32::MAX, &numbers)), "wrong-rows", "4294967295 rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_lengths_are_found_before_anything_is_built() {
    let good = reply(1_000, &[1; BATCH_ROWS]);
    let damaged = |at: usize, bytes: &[u8]| {
        let mut reply = good.clone();
        reply[at..at + bytes.len()].copy_from_slice(bytes);
        answering(&reply)
    };
    let context = with("wasmi", answering(&good)).await;
    run(&context, QUERY).await.expect("the reply that is damaged below");

    fails(answering(b""), "bad-frame", "does not begin with HCF1").await;
    fails(answering(&good[..39]), "bad-frame", "ends within its head").await;
    fails(answering(&good[..4000]), "bad-frame", "its length is not that of the reply").await;
    fails(damaged(0, b"HCF2"), "bad-frame", "does not begin with HCF1").await;
    fails(damaged(8, &[2]), "bad-frame", "more or less than one column").await;
    fails(damaged(16, &[12]), "bad-frame", "another type").await;
    fails(damaged(17, &[2]), "bad-frame", "unknown flags").await;
    fails(damaged(18, &[1]), "bad-frame", "another type").await;
    let edge = (good.len() as u32 - 124).to_le_bytes();
    fails(damaged(17, &[&[1, 0, 0, 0, 0, 0, 0], &edge[..]].concat()), "bad-frame", "validity").await;
    fails(damaged(32, &u32::MAX.to_le_bytes()), "bad-frame", "its values are not within it").await;
    fails(damaged(36, &u32::MAX.to_le_bytes()), "bad-frame", "its values are not within it").await;
    fails(damaged(36, &7_999_u32.to_le_bytes()), "bad-frame", "fewer values than rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_guests_is_escaped_and_its_length_checked() {
    let error = |len: u32, message: &[u8]| {
        let head = [&b"HCE1"[..], &7_u32.to_le_bytes(), &len.to_le_bytes(), &[0; 4]].concat();
        answering(&[&head, message].concat())
    };
    fails(error(7, b"no\x1b[2J!"), "guest-error", r"row 7 of the batch: no\u{1b}[2J!").await;
    fails(error(8, b"no"), "bad-frame", "an error ends within its message").await;
    fails(error(u32::MAX, b"no"), "bad-frame", "an error ends within its message").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_not_for_these_types_is_refused_when_it_is_created() {
    let context = session(&functions("tiered").build());
    let create = |types: &str, module: &str| format!("CREATE FUNCTION slug{types} LANGUAGE wasm AS '{module}'");
    for (types, module, words) in [
        ("(BIGINT) RETURNS TEXT", "text.wasm", "argument 1 is int64, not text"),
        ("(TEXT) RETURNS BIGINT", "text.wasm", "the result is text, the caller expects int64"),
        ("(TEXT, TEXT) RETURNS TEXT", "text.wasm", "the caller gives 2 arguments, not 1"),
        ("() RETURNS TEXT", "text.wasm", "the caller gives 0 arguments"),
        ("(TEXT) RETURNS TEXT", "text.wasm#slag", "slag"),
        ("(TEXT) RETURNS TEXT", "luhn.wasm#luhn", "luhn(text) gives boolean"),
        ("(INTERVAL) RETURNS TEXT", "text.wasm", "argument 1: type Interval"),
        ("(TEXT) RETURNS TIME", "text.wasm", "result: type Time64"),
        ("(TEXT) RETURNS DECIMAL(60, 2)", "text.wasm", "result: type Decimal256(60, 2) is not supported"),
        ("(BIGINT[]) RETURNS TEXT", "text.wasm", "argument 1: type List"),
    ] {
        let error = run(&context, &create(types, module)).await.expect_err(types).to_string();
        assert!(error.contains("function slug: ") && error.contains(words), "{types}: {error}");
    }
}
