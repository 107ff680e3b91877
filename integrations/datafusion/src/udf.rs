use std::{
    hash::{Hash, Hasher},
    ptr,
    sync::Arc,
};

use datafusion::{
    arrow::datatypes::DataType,
    error::{DataFusionError, Result},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

use crate::{call, function::Created, query::Query};

/// A function as DataFusion sees it: of a session, or of a query.
#[derive(Clone, Debug)]
pub(crate) struct Udf {
    created: Arc<Created>,
    query: Option<Arc<Query>>,
    signature: Signature,
}

impl Udf {
    pub(crate) fn new(created: Created) -> Self {
        let (arguments, volatility) = (created.function.arguments.clone(), created.function.volatility);
        let signature = match arguments.is_empty() {
            true => Signature::nullary(volatility),
            false => Signature::exact(arguments, volatility),
        };
        Self { created: Arc::new(created), query: None, signature }
    }

    /// The function, in a query.
    pub(crate) fn within(&self, query: &Arc<Query>) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { query: Some(query.clone()), ..self.clone() })
    }

    pub(crate) fn query(&self) -> Option<&Arc<Query>> {
        self.query.as_ref()
    }
}

impl PartialEq for Udf {
    fn eq(&self, other: &Self) -> bool {
        let queries = [&self.query, &other.query].map(|query| query.as_ref().map_or(ptr::null(), Arc::as_ptr));
        self.created == other.created && queries[0] == queries[1]
    }
}

impl Eq for Udf {}

impl Hash for Udf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.created.hash(state);
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
        let Some(query) = &self.query else {
            let name = self.name();
            return Err(DataFusionError::Plan(format!("function {name} runs in sessions of Functions::install only")));
        };
        let rows = args.number_rows;
        let arguments = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(call::call(&self.created, query, &arguments, rows)?))
    }
}
