//! Rows per second of three functions, native and on each engine: batches of 8,192 rows, one partition, one process. Each round
//! runs every variant once, one after another; the numbers are medians of the rounds.

use std::{hint::black_box, sync::Arc, time::Instant};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, Int64Array, StringArray},
        datatypes::{DataType, Field, Int64Type},
    },
    config::ConfigOptions,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF},
};
use hotcell_datafusion::{Function, Functions};

const ROWS: usize = 8_192;
const BATCHES: usize = 16;
const ROUNDS: usize = 9;
const ENGINES: [&str; 3] = ["wasmtime", "wasmi", "tiered"];

struct Case {
    name: &'static str,
    arguments: Vec<ArrayRef>,
    result: DataType,
    native: fn(&[ArrayRef]) -> ArrayRef,
}

type Variant = (String, Box<dyn Fn() -> ArrayRef>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:8} {:10} {:>14} {:>10}", "function", "engine", "rows/s", "native = 1");
    for case in cases() {
        let variants = variants(&case)?;
        let expected = variants[0].1();
        for (name, call) in &variants {
            assert_eq!(&call(), &expected, "{}, {name}", case.name);
        }
        let seconds = measure(&variants);
        for ((name, _), seconds_of) in variants.iter().zip(&seconds) {
            let (rate, ratio) = ((ROWS * BATCHES) as f64 / seconds_of, seconds_of / seconds[0]);
            println!("{:8} {name:10} {rate:>14.0} {ratio:>10.1}", case.name);
        }
    }
    Ok(())
}

fn variants(case: &Case) -> Result<Vec<Variant>, Box<dyn std::error::Error>> {
    let (native, arguments) = (case.native, case.arguments.clone());
    let mut variants: Vec<Variant> = vec![("native".to_owned(), Box::new(move || native(&arguments)))];
    for engine in ENGINES {
        let functions = Functions::builder().engine(engine).build();
        let module = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/guests/text.wasm"))?;
        let types: Vec<DataType> = case.arguments.iter().map(|array| array.data_type().clone()).collect();
        let function = functions.create(Function::new(case.name, module, case.result.clone()).arguments(types))?;
        functions.finish_compiling();
        let arguments = case.arguments.clone();
        variants.push((engine.to_owned(), Box::new(move || invoke(&function, &arguments))));
    }
    Ok(variants)
}

fn invoke(function: &ScalarUDF, arguments: &[ArrayRef]) -> ArrayRef {
    let field = |data_type: &DataType| Arc::new(Field::new("", data_type.clone(), true));
    let types: Vec<DataType> = arguments.iter().map(|array| array.data_type().clone()).collect();
    let result = function.return_type(&types).expect("the types of the function");
    let args = ScalarFunctionArgs {
        args: arguments.iter().cloned().map(ColumnarValue::Array).collect(),
        arg_fields: types.iter().map(|data_type| field(data_type) as _).collect(),
        number_rows: ROWS,
        return_field: field(&result),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let column = function.invoke_with_args(args).expect("a good guest");
    column.to_array(ROWS).expect("an array")
}

/// The median seconds of each variant.
fn measure(variants: &[Variant]) -> Vec<f64> {
    let mut seconds = vec![Vec::new(); variants.len()];
    for _ in 0..ROUNDS {
        for ((_, call), seconds) in variants.iter().zip(&mut seconds) {
            let begin = Instant::now();
            (0..BATCHES).for_each(|_| drop(black_box(call())));
            seconds.push(begin.elapsed().as_secs_f64());
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    };
    seconds.into_iter().map(median).collect()
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
