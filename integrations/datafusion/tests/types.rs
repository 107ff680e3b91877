//! Every type crosses and comes back, with nulls, whole and in part. The frame is the host's: one engine shows it.

mod common;

use std::sync::Arc;

use common::{functions, guests, session};
use datafusion::execution::FunctionRegistry;
use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
            Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
            TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, new_null_array,
        },
        compute::cast,
        datatypes::DataType,
    },
    prelude::SessionContext,
};
use hotcell_datafusion::{Function, Functions};

/// A column with a null, and the entry that gives it back.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    let text =
        StringArray::from(vec![Some(""), None, Some("a"), Some("Grüße, Welt: longer than a view holds"), Some("ß")]);
    let binary =
        BinaryArray::from(vec![Some(&b""[..]), None, Some(&b"\xff\x00"[..]), Some(&[7; 40][..]), Some(&b"x"[..])]);
    let instants = vec![Some(i64::MIN), None, Some(-1), Some(0), Some(i64::MAX)];
    let decimals = Decimal128Array::from(vec![Some(99_999), None, Some(-99_999), Some(0), Some(150)]);
    let (text, binary): (ArrayRef, ArrayRef) = (Arc::new(text), Arc::new(binary));
    vec![
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true), Some(true)]))),
        ("int8", Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(-1), Some(0), Some(i8::MAX)]))),
        ("int16", Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(-1), Some(0), Some(i16::MAX)]))),
        ("int32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(-1), Some(0), Some(i32::MAX)]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(-1), Some(0), Some(i64::MAX)]))),
        ("uint8", Arc::new(UInt8Array::from(vec![Some(0), None, Some(1), Some(2), Some(u8::MAX)]))),
        ("uint16", Arc::new(UInt16Array::from(vec![Some(0), None, Some(1), Some(2), Some(u16::MAX)]))),
        ("uint32", Arc::new(UInt32Array::from(vec![Some(0), None, Some(1), Some(2), Some(u32::MAX)]))),
        ("uint64", Arc::new(UInt64Array::from(vec![Some(0), None, Some(1), Some(2), Some(u64::MAX)]))),
        (
            "float32",
            Arc::new(Float32Array::from(vec![Some(-0.0), None, Some(f32::MIN), Some(f32::INFINITY), Some(1.5)])),
        ),
        (
            "float64",
            Arc::new(Float64Array::from(vec![Some(-0.0), None, Some(f64::MIN), Some(f64::INFINITY), Some(1.5)])),
        ),
        ("text", text.clone()),
        ("text", cast(&text, &DataType::LargeUtf8).unwrap()),
        ("text", cast(&text, &DataType::Utf8View).unwrap()),
        ("binary", binary.clone()),
        ("binary", cast(&binary, &DataType::LargeBinary).unwrap()),
        ("binary", cast(&binary, &DataType::BinaryView).unwrap()),
        ("date", Arc::new(Date32Array::from(vec![Some(i32::MIN), None, Some(0), Some(20_000), Some(i32::MAX)]))),
        ("timestamp", Arc::new(TimestampMicrosecondArray::from(instants.clone()))),
        ("timestamp", Arc::new(TimestampNanosecondArray::from(instants).with_timezone("Europe/Berlin"))),
        ("decimal", Arc::new(decimals.with_precision_and_scale(5, 2).unwrap())),
    ]
}

fn echo(functions: &Functions, entry: &str, data_type: &DataType, context: &SessionContext) {
    let module = std::fs::read(format!("{}/echo.wasm", guests())).unwrap();
    let function = Function::new("echo", module, data_type.clone()).entry(entry).arguments([data_type.clone()]);
    context.register_udf(functions.create(function).unwrap());
}

async fn echoed(context: &SessionContext, column: &ArrayRef) -> Vec<ArrayRef> {
    let batch = RecordBatch::try_from_iter_with_nullable([("x", column.clone(), true)]).unwrap();
    let frame = context.read_batch(batch).unwrap();
    let echo = context.udf("echo").unwrap().call(vec![datafusion::prelude::col("x")]);
    let batches = frame.select(vec![echo]).unwrap().collect().await.unwrap();
    batches.into_iter().map(|batch| batch.column(0).clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back() {
    let functions = functions("wasmi").build();
    let context = session(&functions);
    for (entry, column) in columns() {
        let what = column.data_type().to_string();
        echo(&functions, entry, column.data_type(), &context);
        let nulls = new_null_array(column.data_type(), 9);
        for part in [column.clone(), column.slice(1, 3), column.slice(2, 1), nulls] {
            let found = echoed(&context, &part).await;
            assert_eq!(found.len(), 1, "{what}");
            assert_eq!(&found[0], &part, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decimal_with_too_many_digits_is_no_decimal() {
    let functions = functions("wasmi").build();
    let context = session(&functions);
    let column = Decimal128Array::from(vec![100_000]).with_precision_and_scale(6, 2).unwrap();
    let (argument, result) = (column.data_type().clone(), DataType::Decimal128(5, 2));
    let module = std::fs::read(format!("{}/echo.wasm", guests())).unwrap();
    let function = Function::new("echo", module, result).entry("decimal").arguments([argument]);
    context.register_udf(functions.create(function).unwrap());
    let batch = RecordBatch::try_from_iter([("x", Arc::new(column) as ArrayRef)]).unwrap();
    let echo = context.udf("echo").unwrap().call(vec![datafusion::prelude::col("x")]);
    let outcome = context.read_batch(batch).unwrap().select(vec![echo]).unwrap().collect().await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("a decimal has more digits than the result's type"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_the_same_bytes_are_counted_before_they_are_copied() {
    use datafusion::arrow::array::StringViewBuilder;
    // A gigabyte, were it copied.
    let mut builder = StringViewBuilder::new().with_fixed_block_size(1 << 20);
    let block = builder.append_block(vec![b'x'; 1 << 20].into());
    (0..1_024).for_each(|_| builder.try_append_view(block, 0, 1 << 20).unwrap());
    let column: ArrayRef = Arc::new(builder.finish());
    let functions = functions("wasmi").build();
    let context = session(&functions);
    echo(&functions, "text", &DataType::Utf8View, &context);
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let echo = context.udf("echo").unwrap().call(vec![datafusion::prelude::col("x")]);
    let outcome = context.read_batch(batch).unwrap().select(vec![echo]).unwrap().collect().await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("input-too-large (blame: caller): the batch is 107"), "{error}");
}
