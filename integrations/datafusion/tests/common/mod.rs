//! What the tests share: a session with functions, rows, and guests that behave until there are rows.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Int64Array, RecordBatch},
        datatypes::DataType,
    },
    datasource::MemTable,
    error::{DataFusionError, Result},
    execution::{SessionStateBuilder, memory_pool::MemoryPool, runtime_env::RuntimeEnvBuilder},
    physical_plan::ExecutionPlan,
    prelude::{SessionConfig, SessionContext},
};
use hotcell::Policy;
use hotcell_datafusion::{Builder, Function, Functions, Limits};

/// The engines, by name.
pub const ENGINES: [&str; 3] = ["wasmtime", "wasmi", "tiered"];

/// Rows of a batch in [`numbers`].
pub const BATCH_ROWS: usize = 1_000;

/// Functions with the modules of this repository.
pub fn functions(engine: &str) -> Builder {
    Functions::builder().engine(engine).modules(guests())
}

pub fn guests() -> String {
    format!("{}/guests", env!("CARGO_MANIFEST_DIR"))
}

/// A session with these functions and the table `numbers`, in four partitions.
pub fn session(functions: &Functions) -> SessionContext {
    session_in(functions, None)
}

/// The same, within this pool of memory.
pub fn session_in(functions: &Functions, pool: Option<Arc<dyn MemoryPool>>) -> SessionContext {
    let runtime = pool.into_iter().fold(RuntimeEnvBuilder::new(), RuntimeEnvBuilder::with_memory_pool);
    let config = SessionConfig::new().with_target_partitions(4).with_batch_size(BATCH_ROWS);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc().unwrap())
        .with_default_features();
    let context = SessionContext::new_with_state(functions.install(state).build());
    context.register_table("numbers", Arc::new(numbers())).unwrap();
    context
}

/// `n` from 0, and a text and a null now and then: two batches in each of four partitions.
fn numbers() -> MemTable {
    let batches = (0..8).map(|batch| {
        let first = batch * BATCH_ROWS as i64;
        let n = Int64Array::from_iter_values(first..first + BATCH_ROWS as i64);
        let half = Int64Array::from_iter(n.values().iter().map(|n| (n % 2 == 0).then_some(n / 2)));
        let text = datafusion::arrow::array::StringArray::from_iter(
            n.values().iter().map(|n| (n % 3 != 0).then(|| format!("Number {n}!"))),
        );
        let columns: [(&str, ArrayRef); 3] = [("n", Arc::new(n)), ("half", Arc::new(half)), ("text", Arc::new(text))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    });
    let batches: Vec<_> = batches.collect();
    let partitions = batches.chunks(2).map(<[RecordBatch]>::to_vec).collect();
    MemTable::try_new(batches[0].schema(), partitions).unwrap()
}

/// Runs a statement.
pub async fn run(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    context.sql(sql).await?.collect().await
}

/// Runs a statement, as a table.
pub async fn table(context: &SessionContext, sql: &str) -> String {
    let batches = run(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
}

/// Runs a statement that a guest must fail; gives the words. They are no I/O error, nor have one among their sources.
pub async fn failure(context: &SessionContext, sql: &str) -> String {
    let error = run(context, sql).await.expect_err(sql);
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = source {
        assert!(!error.is::<std::io::Error>(), "{sql}: {error}");
        source = error.source();
    }
    match error.find_root() {
        DataFusionError::Execution(message) => message.clone(),
        other => panic!("{sql}: {other:?}"),
    }
}

/// A policy with this fuel for a batch.
pub fn fuel(fuel: u64) -> Limits {
    Limits::new(Policy::strict().with(|rules| rules.limits.fuel = Some(fuel)).unwrap())
}

/// `f(bigint)` that gives a bigint: answers no rows as it should, and does `body` for others. `$ptr` and `$len` are the
/// request; `data` lies at 4096.
pub fn guest(body: &str, data: &[u8]) -> Function {
    let text = format!(
        r#"(module
            (memory (export "memory") 16)
            (func (export "__hotcell_abi_version") (result i32) i32.const 1)
            (func (export "alloc") (param i32) (result i32) i32.const 65536)
            (data (i32.const 1024) "{}")
            (data (i32.const 4096) "{}")
            (func (export "f") (param $ptr i32) (param $len i32) (result i64)
                (if (result i64) (i32.eqz (i32.load offset=4 (local.get $ptr)))
                    (then (i64.const {}))
                    (else {body}))))"#,
        escaped(&reply(0, &[])),
        escaped(data),
        1024_u64 << 32 | 40,
    );
    let module = wat::parse_str(text).unwrap();
    Function::new("f", module, DataType::Int64).arguments([DataType::Int64])
}

/// A guest that answers rows with these bytes.
pub fn answering(reply: &[u8]) -> Function {
    guest(&format!("(i64.const {})", 4096_u64 << 32 | reply.len() as u64), reply)
}

/// A reply of so many rows, that has these numbers.
pub fn reply(rows: u32, numbers: &[i64]) -> Vec<u8> {
    let values: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut reply = b"HCF1".to_vec();
    for number in [rows, 1, 40 + values.len() as u32, 5, 0, 0, 0, 40, values.len() as u32] {
        reply.extend(number.to_le_bytes());
    }
    reply.extend(values);
    reply
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// The sum of a metric over a plan.
pub fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(name)).map_or(0, |value| value.as_usize());
    own + plan.children().into_iter().map(|child| metric(child, name)).sum::<usize>()
}
