//! Rows per second of queries with one function, native and on each engine: batches of 8,192 rows, one partition, one
//! process. Each round runs every variant once, one after another; the numbers are medians of the rounds.

use std::{sync::Arc, time::Instant};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray},
        datatypes::{DataType, Int64Type},
    },
    datasource::MemTable,
    execution::SessionStateBuilder,
    logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf},
    prelude::{SessionConfig, SessionContext},
};
use hotcell_datafusion::{Function, Functions};

const ROWS: usize = 8_192;
const BATCHES: usize = 16;
const ROUNDS: usize = 9;
const ENGINES: [&str; 3] = ["wasmtime", "wasmi", "tiered"];

type Error = Box<dyn std::error::Error>;

struct Case {
    name: &'static str,
    arguments: Vec<ArrayRef>,
    result: DataType,
    native: fn(&[ArrayRef]) -> ArrayRef,
}

struct Variant {
    name: &'static str,
    context: SessionContext,
    query: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    println!("{:8} {:10} {:>14} {:>10}", "function", "engine", "rows/s", "native = 1");
    for case in cases() {
        let variants = variants(&case)?;
        let expected = variants[0].run().await?;
        for variant in &variants {
            let found = variant.run().await?;
            assert!(found.iter().map(|batch| batch.column(0)).eq(expected.iter().map(|batch| batch.column(0))));
        }
        let seconds = measure(&variants).await?;
        for (variant, own) in variants.iter().zip(&seconds) {
            let (rate, ratio) = ((ROWS * BATCHES) as f64 / own, own / seconds[0]);
            println!("{:8} {:10} {rate:>14.0} {ratio:>10.1}", case.name, variant.name);
        }
    }
    Ok(())
}

impl Variant {
    fn new(name: &'static str, case: &Case, functions: &Functions, function: ScalarUDF) -> Result<Self, Error> {
        let config = SessionConfig::new().with_target_partitions(1);
        let state = SessionStateBuilder::new().with_config(config).with_default_features();
        let context = SessionContext::new_with_state(functions.install(state).build());
        let names = ["a", "b"].into_iter().zip(case.arguments.clone()).map(|(name, array)| (name, array, true));
        let batch = RecordBatch::try_from_iter_with_nullable(names)?;
        context.register_table("t", Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch; BATCHES]])?))?;
        context.register_udf(function);
        let arguments = ["a", "b"][..case.arguments.len()].join(", ");
        Ok(Self { name, context, query: format!("SELECT \"{}\"({arguments}) FROM t", case.name) })
    }

    async fn run(&self) -> Result<Vec<RecordBatch>, Error> {
        Ok(self.context.sql(&self.query).await?.collect().await?)
    }
}

fn variants(case: &Case) -> Result<Vec<Variant>, Error> {
    let types: Vec<DataType> = case.arguments.iter().map(|array| array.data_type().clone()).collect();
    let native = case.native;
    let body = move |arguments: &[ColumnarValue]| {
        let arguments = arguments.iter().map(|argument| argument.to_array(ROWS)).collect::<Result<Vec<_>, _>>()?;
        Ok(ColumnarValue::Array(native(&arguments)))
    };
    let native = create_udf(case.name, types.clone(), case.result.clone(), Volatility::Volatile, Arc::new(body));
    let mut variants = vec![Variant::new("native", case, &Functions::builder().build(), native)?];
    let module: Arc<[u8]> = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/guests/text.wasm"))?.into();
    for engine in ENGINES {
        let functions = Functions::builder().engine(engine).build();
        let function = Function::new(case.name, module.clone(), case.result.clone()).arguments(types.clone());
        let function = functions.create(function)?;
        functions.finish_compiling();
        variants.push(Variant::new(engine, case, &functions, function)?);
    }
    Ok(variants)
}

/// The median seconds of each variant.
async fn measure(variants: &[Variant]) -> Result<Vec<f64>, Error> {
    let mut seconds = vec![Vec::new(); variants.len()];
    for _ in 0..ROUNDS {
        for (variant, seconds) in variants.iter().zip(&mut seconds) {
            let begin = Instant::now();
            variant.run().await?;
            seconds.push(begin.elapsed().as_secs_f64());
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    };
    Ok(seconds.into_iter().map(median).collect())
}

fn cases() -> Vec<Case> {
    let numbers = |factor: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter((0..ROWS as i64).map(|row| (row % 7 != 0).then_some(row * factor % 1_000_003))))
    };
    let texts = (0..ROWS).map(|row| format!("Order no. {row:06}: a title, of Some Length & more!"));
    vec![
        Case { name: "gcd", arguments: vec![numbers(7_919), numbers(104_729)], result: DataType::Int64, native: gcd },
        Case { name: "add", arguments: vec![numbers(3), numbers(5)], result: DataType::Int64, native: add },
        Case {
            name: "slug",
            arguments: vec![Arc::new(StringArray::from_iter_values(texts))],
            result: DataType::Utf8,
            native: slug,
        },
    ]
}

fn gcd(arguments: &[ArrayRef]) -> ArrayRef {
    let gcd = |mut a: i64, mut b: i64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let [a, b] = [0, 1].map(|index| arguments[index].as_primitive::<Int64Type>());
    Arc::new(a.iter().zip(b).map(|(a, b)| Some(gcd(a?, b?))).collect::<Int64Array>())
}

fn add(arguments: &[ArrayRef]) -> ArrayRef {
    let [a, b] = [0, 1].map(|index| arguments[index].as_primitive::<Int64Type>());
    let sum = |(a, b): (Option<i64>, Option<i64>)| match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, other) => one.or(other),
    };
    Arc::new(a.iter().zip(b).map(sum).collect::<Int64Array>())
}

fn slug(arguments: &[ArrayRef]) -> ArrayRef {
    let slug = |text: &str| {
        let mut slug = String::with_capacity(text.len());
        let mut is_after_gap = false;
        for letter in text.chars() {
            if !letter.is_alphanumeric() {
                is_after_gap = true;
                continue;
            }
            if is_after_gap && !slug.is_empty() {
                slug.push('-');
            }
            is_after_gap = false;
            slug.extend(letter.to_lowercase());
        }
        slug
    };
    Arc::new(arguments[0].as_string::<i32>().iter().map(|text| text.map(slug)).collect::<StringArray>())
}
