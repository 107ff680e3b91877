use datafusion::{
    arrow::datatypes::DataType,
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature},
};

use crate::{call, function::Created};

/// A function as DataFusion sees it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Udf {
    created: Created,
    signature: Signature,
}

impl Udf {
    pub(crate) fn new(created: Created) -> Self {
        let (arguments, volatility) = (created.function.arguments.clone(), created.function.volatility);
        let signature = match arguments.is_empty() {
            true => Signature::nullary(volatility),
            false => Signature::exact(arguments, volatility),
        };
        Self { created, signature }
    }
}

impl ScalarUDFImpl for Udf {
    fn name(&self) -> &str {
        &self.created.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.created.function.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arguments = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(call::call(&self.created, &arguments, rows)?))
    }
}
