//! The limits of a batch, of a query and of the host.

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    BATCH_ROWS, ENGINES, answering, failure, fuel, functions, guest, metric, reply, run, session, session_in,
};
use datafusion::{
    arrow::{array::AsArray, datatypes::Int64Type},
    execution::memory_pool::{GreedyMemoryPool, MemoryPool},
    physical_plan::collect,
    prelude::SessionContext,
};
use hotcell::Policy;
use hotcell_datafusion::{Functions, Limits};

const QUERY: &str = "SELECT gcd(n, 12) FROM numbers";
const LOOP: &str = "(loop $l (br $l)) (i64.const 0)";

async fn create_gcd(context: &SessionContext) {
    run(context, "CREATE FUNCTION gcd(BIGINT, BIGINT) RETURNS BIGINT VOLATILE LANGUAGE wasm AS 'text.wasm'")
        .await
        .unwrap();
}

/// What the query uses of a metric.
async fn used(functions: &Functions, name: &str) -> u64 {
    let context = session(functions);
    create_gcd(&context).await;
    let plan = context.sql(QUERY).await.unwrap().create_physical_plan().await.unwrap();
    collect(plan.clone(), context.task_ctx()).await.unwrap();
    metric(&plan, name) as u64
}

/// A policy that only a query ends.
fn unhurried() -> Limits {
    let policy = Policy::strict().with(|rules| {
        rules.limits.fuel = Some(1 << 50);
        rules.limits.deadline = Some(Duration::from_secs(3_600));
    });
    Limits::new(policy.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_of_a_query_is_counted_to_the_unit_on_every_engine() {
    let total = used(&functions("wasmi").build(), "gcd.fuel").await;
    assert!(total > 8 * BATCH_ROWS as u64, "{total}");
    for engine in ENGINES {
        assert_eq!(used(&functions(engine).build(), "gcd.fuel").await, total, "{engine}");
        let context = session(&functions(engine).query_fuel(total).build());
        create_gcd(&context).await;
        run(&context, QUERY).await.unwrap();
        run(&context, QUERY).await.expect("each query has fuel of its own");

        let context = session(&functions(engine).query_fuel(total - 1).build());
        create_gcd(&context).await;
        let message = failure(&context, QUERY).await;
        assert!(message.contains(": query-fuel (blame: guest): the query has used"), "{engine}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_fuel_ends_the_guests_of_all_its_partitions() {
    // One partition loops, and would for an hour; the others use up the fuel.
    let body = format!(
        "(if (i64.eqz (i64.load offset=64 (local.get $ptr))) (then {}))
         (i64.const {})",
        LOOP.replace("(i64.const 0)", ""),
        4096_u64 << 32 | 8040
    );
    let functions = functions("wasmtime").query_fuel(50).build();
    let context = session(&functions);
    let function = guest(&body, &reply(1_000, &[1; BATCH_ROWS])).limits(unhurried());
    context.register_udf(functions.create(function).unwrap());
    let message = failure(&context, "SELECT f(n) FROM numbers").await;
    assert!(message.contains("query-fuel"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_of_a_row_is_held_against_the_batch() {
    let per_batch = used(&functions("wasmi").build(), "gcd.fuel").await / 8;
    let per_row = per_batch / BATCH_ROWS as u64;
    for (fuel_per_row, is_enough) in [(per_row + 1, true), (per_row / 4, false)] {
        let limits = Limits { fuel_per_row: Some(fuel_per_row), ..Limits::default() };
        let context = session(&functions("tiered").default_limits(limits).build());
        create_gcd(&context).await;
        let outcome = run(&context, QUERY).await;
        match is_enough {
            true => assert!(outcome.is_ok()),
            false => assert!(outcome.unwrap_err().to_string().contains("row-fuel (blame: guest)")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_ends_at_its_deadline_and_a_query_at_its_own() {
    for engine in ENGINES {
        let policy = unhurried().policy.with(|rules| rules.limits.deadline = Some(Duration::from_millis(20)));
        let limits = Limits::new(policy.unwrap());
        let batch = functions(engine).build();
        let context = session(&batch);
        context.register_udf(batch.create(guest(LOOP, b"").limits(limits)).unwrap());
        let message = failure(&context, "SELECT f(n) FROM numbers").await;
        assert!(message.contains("deadline-exceeded (blame: guest)"), "{engine}: {message}");

        let query = functions(engine).query_time(Duration::from_millis(20)).build();
        let context = session(&query);
        context.register_udf(query.create(guest(LOOP, b"").limits(unhurried())).unwrap());
        let message = failure(&context, "SELECT f(n) FROM numbers").await;
        assert!(message.contains("query-deadline (blame: guest)"), "{engine}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_end_when_nobody_reads_the_query_any_more() {
    for engine in ENGINES {
        // One place: if the guest went on, the next query would wait for it for an hour.
        let functions = functions(engine).max_instances(1).build();
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 30));
        let context = session_in(&functions, Some(pool.clone()));
        context.register_udf(functions.create(guest(LOOP, b"").limits(unhurried())).unwrap());
        create_gcd(&context).await;

        let looping = run(&context, "SELECT f(n) FROM numbers");
        assert!(tokio::time::timeout(Duration::from_millis(100), looping).await.is_err(), "{engine}");
        run(&context, QUERY).await.unwrap();
        assert_eq!(pool.reserved(), 0, "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partition_may_be_read_after_another_and_a_limit_ends_a_query() {
    let functions = functions("wasmtime").build();
    let context = session(&functions);
    create_gcd(&context).await;
    let plan = context.sql(QUERY).await.unwrap().create_physical_plan().await.unwrap();
    let mut rows = 0;
    for partition in 0..plan.properties().partitioning.partition_count() {
        let stream = plan.execute(partition, context.task_ctx()).unwrap();
        let batches = datafusion::physical_plan::common::collect(stream).await.unwrap();
        rows += batches.iter().map(|batch| batch.num_rows()).sum::<usize>();
    }
    assert_eq!(rows, 8 * BATCH_ROWS);
    let batches = run(&context, &format!("{QUERY} LIMIT 5")).await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_wait_for_instances() {
    for keeps_instance in [false, true] {
        let limits = Limits { keeps_instance, ..Limits::default() };
        let context = session(&functions("wasmi").max_instances(1).default_limits(limits).build());
        create_gcd(&context).await;
        run(&context, "SELECT gcd(gcd(n, 12), gcd(half, 5)) FROM numbers ORDER BY gcd(n, 7)").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_guests_counts_in_the_pool() {
    let functions = functions("tiered").build();
    for (bytes, is_enough) in [(1 << 30, true), (60 << 20, false)] {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
        let context = session_in(&functions, Some(pool.clone()));
        create_gcd(&context).await;
        let outcome = run(&context, QUERY).await;
        match is_enough {
            true => assert!(outcome.is_ok()),
            false => assert!(outcome.unwrap_err().to_string().contains("guest of gcd")),
        }
        assert_eq!(pool.reserved(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_fresh_for_each_batch_unless_it_may_be_kept() {
    // Gives the number of the instance's batches, in its first row.
    let body = format!(
        "(i64.store (i32.const 4136) (i64.add (i64.load (i32.const 4136)) (i64.const 1))) (i64.const {})",
        4096_u64 << 32 | 8040
    );
    for (keeps_instance, expected) in [(false, 1), (true, 2)] {
        let functions = functions("wasmtime").build();
        let context = session(&functions);
        let limits = Limits { keeps_instance, ..Limits::default() };
        let function = guest(&body, &reply(1_000, &[0; BATCH_ROWS])).limits(limits);
        context.register_udf(functions.create(function).unwrap());
        let batches = run(&context, "SELECT max(f) FROM (SELECT f(n) AS f FROM numbers)").await.unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_the_callers() {
    let policy = Policy::strict().with(|rules| rules.limits.input_bytes = 8_000).unwrap();
    let functions = functions("wasmi").build();
    let context = session(&functions);
    let function = answering(&reply(1_000, &[1; BATCH_ROWS])).limits(Limits::new(policy));
    context.register_udf(functions.create(function).unwrap());
    let message = failure(&context, "SELECT f(n) FROM numbers").await;
    assert!(message.contains("input-too-large (blame: caller): the batch is "), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_must_be_limited() {
    let policy = Policy::strict().with(|rules| rules.limits.fuel = None).unwrap();
    let function = answering(b"").limits(Limits::new(policy));
    let error = functions("tiered").build().create(function).unwrap_err().to_string();
    assert!(error.contains("function f: limits.fuel must be limited"), "{error}");
    // Fuel that does not suffice for no rows at all.
    let error = functions("tiered").build().create(answering(b"").limits(fuel(0))).unwrap_err().to_string();
    assert!(error.contains("function f: out-of-fuel"), "{error}");
}
