//! `CREATE FUNCTION`, and functions wherever SQL has expressions.

mod common;

use common::{BATCH_ROWS, functions, guests, run, session, table};
use datafusion::prelude::SessionContext;
use hotcell_datafusion::Functions;

async fn created() -> SessionContext {
    let context = session(&functions("tiered").build());
    for statement in [
        "CREATE FUNCTION slug(TEXT) RETURNS TEXT IMMUTABLE LANGUAGE wasm AS 'text.wasm'",
        "CREATE FUNCTION divisor(BIGINT, BIGINT) RETURNS BIGINT STABLE LANGUAGE WASM AS 'text.wasm#gcd'",
        "CREATE FUNCTION plus(BIGINT, BIGINT) RETURNS BIGINT LANGUAGE wasm AS 'text.wasm#add'",
        "CREATE FUNCTION luhn(TEXT) RETURNS BOOLEAN LANGUAGE wasm AS 'luhn.wasm'",
    ] {
        run(&context, statement).await.unwrap();
    }
    context
}

/// The only cell of a result.
async fn cell(context: &SessionContext, sql: &str) -> String {
    let table = table(context, sql).await;
    let line = table.lines().nth(3).unwrap_or_else(|| panic!("{sql}: {table}"));
    line.trim_matches(['|', ' ']).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_and_c_answer() {
    let context = created().await;
    assert_eq!(cell(&context, "SELECT slug(' Grüße, Welt! ')").await, "grüße-welt");
    assert_eq!(cell(&context, "SELECT slug(NULL) IS NULL").await, "true");
    assert_eq!(cell(&context, "SELECT divisor(12, 18)").await, "6");
    assert_eq!(cell(&context, "SELECT divisor(12, NULL) IS NULL").await, "true");
    assert_eq!(cell(&context, "SELECT plus(12, NULL)").await, "12");
    assert_eq!(cell(&context, "SELECT plus(NULL, NULL) IS NULL").await, "true");
    let cards = "FROM (VALUES ('4539 1488 0343 6467'), ('8273 1232 7352 0569'), ('none'), (NULL)) AS t(card)";
    let counts = format!("SELECT count(*) FILTER (WHERE luhn(card)) * 100 + count(luhn(card)) {cards}");
    assert_eq!(cell(&context, &counts).await, "102");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_stand_wherever_sql_has_expressions() {
    let context = created().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM numbers WHERE divisor(n, 12) = 12", "667"),
        ("SELECT count(*) FROM (SELECT divisor(n, 12) AS d, count(*) FROM numbers GROUP BY divisor(n, 12))", "6"),
        ("SELECT sum(plus(half, plus(n, n))) FROM numbers", "71990000"),
        ("SELECT n FROM numbers ORDER BY plus(n, 0) DESC LIMIT 1", "7999"),
        ("SELECT sum(CASE WHEN n < 10 THEN plus(n, 1) ELSE 0 END) FROM numbers", "55"),
        ("SELECT count(*) FROM numbers a JOIN numbers b ON plus(a.n, 1) = b.n", "7999"),
        ("SELECT count(*) FROM numbers a JOIN numbers b ON a.n = b.n AND plus(a.n, b.n) < 10", "5"),
        ("SELECT max(r) FROM (SELECT sum(plus(n, 1)) OVER (ORDER BY n) AS r FROM numbers)", "32004000"),
        ("SELECT count(*) FROM numbers WHERE slug(text) = 'number-4'", "1"),
        ("SELECT count(*) FROM (SELECT plus(n, 0) FROM numbers UNION SELECT plus(n, 1) FROM numbers)", "8001"),
        ("SELECT (SELECT max(plus(n, 1)) FROM numbers)", "8000"),
    ] {
        assert_eq!(cell(&context, sql).await, expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_analyze_has_the_metrics_of_each_function() {
    let context = created().await;
    let plan = table(&context, "EXPLAIN ANALYZE SELECT plus(n, 1), slug(text) FROM numbers").await;
    assert!(plan.contains("GuestsExec: functions=[plus, slug]"), "{plan}");
    for name in ["plus", "slug"] {
        for metric in ["calls", "fuel", "guest_time", "copy_time", "peak_memory", "rows"] {
            assert!(plan.contains(&format!("{name}.{metric}=")), "{name}.{metric}: {plan}");
        }
        assert!(plan.contains(&format!("{name}.on_wasm")), "{plan}");
        assert!(plan.contains(&format!("{name}.calls=8")), "{plan}");
    }
    assert!(plan.contains("QueryExec"), "{plan}");
    let plan = table(&context, "EXPLAIN SELECT n FROM numbers").await;
    assert!(!plan.contains("QueryExec"), "a query without functions is left alone: {plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_immutable_function_of_constants_is_asked_once_while_planning() {
    let context = created().await;
    let plan = table(&context, "EXPLAIN SELECT slug('A b') FROM numbers").await;
    assert!(plan.contains("a-b") && !plan.contains("GuestsExec"), "{plan}");
    let plan = table(&context, "EXPLAIN SELECT plus(1, 2) FROM numbers").await;
    assert!(plan.contains("GuestsExec: functions=[plus]"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_comes_from_its_directory_or_in_base64() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let module = STANDARD.encode(std::fs::read(format!("{}/luhn.wasm", guests())).unwrap());
    let create = |body: &str| format!("CREATE FUNCTION luhn(TEXT) RETURNS BOOLEAN LANGUAGE wasm AS '{body}'");
    let without = session(&Functions::builder().build());
    run(&without, &create(&module)).await.unwrap();
    assert_eq!(cell(&without, "SELECT luhn('4539148803436467')").await, "true");

    let outside = format!("{}/luhn.wasm", guests());
    let context = session(&functions("tiered").build());
    for (context, body, words) in [
        (&without, "luhn.wasm", "this host takes modules in base64 only"),
        (&without, &module[..40], ""),
        (&without, "AGFzbQ!", "AS is not base64"),
        (&context, &*outside, "stays below the directory"),
        (&context, "../guests/luhn.wasm", "stays below the directory"),
        (&context, "", "no module of that path"),
        (&context, "none.wasm", "no module of that path"),
        (&context, "luhn", "no module of that path"),
    ] {
        let error = run(context, &create(body)).await.expect_err(body).to_string();
        assert!(error.contains("function luhn: ") && error.contains(words), "{body}: {error}");
    }
    for (statement, words) in [
        ("CREATE FUNCTION f(TEXT) RETURNS TEXT LANGUAGE python AS 'x'", "LANGUAGE must be wasm"),
        ("CREATE FUNCTION f(TEXT) RETURNS TEXT AS 'x'", "LANGUAGE must be wasm"),
        ("CREATE FUNCTION f(TEXT) LANGUAGE wasm AS 'x'", "RETURNS is missing"),
        ("CREATE FUNCTION f(TEXT) RETURNS TEXT LANGUAGE wasm AS 5", "AS must be a text"),
    ] {
        let error = run(&context, statement).await.expect_err(statement).to_string();
        assert!(error.contains("function f: ") && error.contains(words), "{statement}: {error}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_link_does_not_lead_out_of_the_directory() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules");
    std::fs::create_dir_all(&directory).unwrap();
    let _ = std::os::unix::fs::symlink(format!("{}/luhn.wasm", guests()), directory.join("luhn.wasm"));
    let context = session(&Functions::builder().modules(&directory).build());
    let create = "CREATE FUNCTION luhn(TEXT) RETURNS BOOLEAN LANGUAGE wasm AS 'luhn.wasm'";
    let error = run(&context, create).await.unwrap_err().to_string();
    assert!(error.contains("no module of that path can be read"), "{error}");
}

#[tokio::test]
async fn a_runtime_of_one_thread_answers_too() {
    let context = created().await;
    let sum = cell(&context, "SELECT count(plus(n, 1)) FROM numbers").await;
    assert_eq!(sum, (8 * BATCH_ROWS).to_string());
}

#[test]
fn the_guests_are_those_of_their_sources() {
    let script = format!("{}/build.sh", guests());
    let output = std::process::Command::new("bash").args([&script, "--check"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
