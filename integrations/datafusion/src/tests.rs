//! A batch's way on every engine, without a session.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, Int64Array, StringArray},
        datatypes::{DataType, Field},
    },
    config::ConfigOptions,
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF},
};

use crate::{Function, Functions, query::Query, udf::Udf};

const ENGINES: [&str; 3] = ["wasmtime", "wasmi", "tiered"];

fn module(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/guests/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn create(engine: &str, function: Function) -> ScalarUDF {
    Functions::builder().engine(engine).build().create(function).unwrap()
}

/// A batch of a query with this fuel.
fn ask(function: &ScalarUDF, fuel: Option<u64>, arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let udf = function.inner().downcast_ref::<Udf>().unwrap().within(&Query::new(fuel, None));
    let field = |data_type: &DataType| Arc::new(Field::new("", data_type.clone(), true));
    let types: Vec<DataType> = arguments.iter().map(|array| array.data_type().clone()).collect();
    let rows = arguments[0].len();
    let column = udf.inner().invoke_with_args(ScalarFunctionArgs {
        args: arguments.iter().cloned().map(ColumnarValue::Array).collect(),
        arg_fields: types.iter().map(|data_type| field(data_type) as _).collect(),
        number_rows: rows,
        return_field: field(&udf.return_type(&types)?),
        config_options: Arc::new(ConfigOptions::default()),
    })?;
    column.to_array(rows)
}

#[test]
fn rust_and_c_answer_on_every_engine() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(" Grüße, Welt! "), None, Some("4111 1111 1111 1111")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(12), None, Some(i64::MIN)]));
    let eighteen: ArrayRef = Arc::new(Int64Array::from(vec![18, 18, 18]));
    for engine in ENGINES {
        let slug = Function::new("slug", module("text"), DataType::Utf8View).arguments([DataType::Utf8]);
        let expected = StringArray::from(vec![Some("grüße-welt"), None, Some("4111-1111-1111-1111")]);
        let found = ask(&create(engine, slug), None, std::slice::from_ref(&texts)).unwrap();
        assert_eq!(datafusion::arrow::compute::cast(&found, &DataType::Utf8).unwrap().to_data(), expected.into());

        let luhn = Function::new("luhn", module("luhn"), DataType::Boolean).arguments([DataType::Utf8]);
        let expected: ArrayRef = Arc::new(BooleanArray::from(vec![None, None, Some(true)]));
        assert_eq!(&ask(&create(engine, luhn), None, std::slice::from_ref(&texts)).unwrap(), &expected);

        // The same module again: a compiler that is not optimised itself takes long.
        if engine != "wasmi" {
            continue;
        }
        let both = [DataType::Int64, DataType::Int64];
        let gcd = Function::new("gcd", module("text"), DataType::Int64).arguments(both.clone());
        let expected: ArrayRef = Arc::new(Int64Array::from(vec![Some(6), None, Some(2)]));
        assert_eq!(&ask(&create(engine, gcd), None, &[numbers.clone(), eighteen.clone()]).unwrap(), &expected);

        let add = create(engine, Function::new("add", module("text"), DataType::Int64).arguments(both));
        let error = ask(&add, None, &[numbers.clone(), numbers.clone()]).unwrap_err().to_string();
        let words =
            "function add, rows 0..3: guest-error (blame: guest): the guest reports: row 2 of the batch: the sum";
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_query_has_the_same_fuel_on_every_engine() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["A title, of some length"; 100]));
    let slug = || Function::new("slug", module("text"), DataType::Utf8).arguments([DataType::Utf8]);
    let needed = |engine: &str| {
        let slug = create(engine, slug());
        let is_enough = |fuel| ask(&slug, Some(fuel), std::slice::from_ref(&texts)).is_ok();
        let (mut low, mut high) = (0, 1 << 24);
        while low < high {
            let middle = (low + high) / 2;
            (low, high) = if is_enough(middle) { (low, middle) } else { (middle + 1, high) };
        }
        low
    };
    let fuel = needed("wasmi");
    assert!((1_000..1 << 24).contains(&fuel), "{fuel}");
    assert_eq!([needed("wasmtime"), needed("tiered")], [fuel; 2]);
}

#[test]
fn a_function_runs_in_a_query_only() {
    let function =
        create("wasmi", Function::new("luhn", module("luhn"), DataType::Boolean).arguments([DataType::Utf8]));
    let args = ScalarFunctionArgs {
        args: Vec::new(),
        arg_fields: Vec::new(),
        number_rows: 1,
        return_field: Arc::new(Field::new("", DataType::Boolean, true)),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let error = function.inner().invoke_with_args(args).unwrap_err().to_string();
    assert!(error.contains("function luhn runs in sessions of Functions::install only"), "{error}");
}
