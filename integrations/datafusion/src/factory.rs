//! `CREATE FUNCTION name(types) RETURNS type LANGUAGE wasm AS 'module'`.

use std::{
    fs,
    path::{Component, Path},
    sync::Arc,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use datafusion::{
    error::{DataFusionError, Result},
    execution::{
        SessionState,
        context::{FunctionFactory, RegisterFunction},
    },
    logical_expr::{CreateFunction, Expr, Volatility},
    scalar::ScalarValue,
};

use crate::{function::Function, functions::Functions};

/// How every module in base64 begins.
const BASE64_MAGIC: &str = "AGFzbQ";

#[derive(Debug)]
pub(crate) struct Factory(Functions);

impl Factory {
    pub(crate) fn new(functions: Functions) -> Self {
        Self(functions)
    }

    fn function(&self, statement: CreateFunction) -> Result<Function> {
        let CreateFunction { or_replace: _, temporary: _, name, args, return_type, params, schema: _ } = statement;
        let refused = |reason: &str| refused(&name, reason);
        let is_wasm = params.language.as_ref().is_some_and(|language| language.value.eq_ignore_ascii_case("wasm"));
        if !is_wasm {
            return Err(refused("LANGUAGE must be wasm"));
        }
        let mut arguments = Vec::new();
        for argument in args.unwrap_or_default() {
            if argument.default_expr.is_some() {
                return Err(refused("arguments with a default are not supported"));
            }
            arguments.push(argument.data_type);
        }
        let result = return_type.ok_or_else(|| refused("RETURNS is missing"))?;
        let Some(Expr::Literal(ScalarValue::Utf8(Some(body)) | ScalarValue::Utf8View(Some(body)), _)) =
            params.function_body
        else {
            return Err(refused("AS must be a text: a module's path, or its bytes in base64"));
        };
        let limits = self.0.limits(&name);
        let most = limits.policy.rules().module.bytes;
        let (body, entry) = body.rsplit_once('#').unwrap_or((&body, &name));
        let module = self.module(body, most).map_err(|reason| refused(&reason))?;
        Ok(Function::new(name.clone(), module, result)
            .entry(entry)
            .arguments(arguments)
            .volatility(params.behavior.unwrap_or(Volatility::Volatile))
            .limits(limits))
    }

    fn module(&self, body: &str, most: u64) -> std::result::Result<Arc<[u8]>, String> {
        let body = body.trim();
        if body.starts_with(BASE64_MAGIC) {
            let bytes = STANDARD.decode(body).map_err(|error| format!("AS is not base64: {error}"))?;
            return Ok(bytes.into());
        }
        let directory = self.0.modules().ok_or("this host takes modules in base64 only")?;
        let path = Path::new(body);
        if !path.components().all(|component| matches!(component, Component::Normal(_))) {
            return Err("a module's path is relative, and stays below the directory of modules".to_owned());
        }
        read(directory, path, most).ok_or_else(|| "no module of that path can be read".to_owned())
    }
}

/// A file below `directory`, that is not too large to be admitted.
fn read(directory: &Path, path: &Path, most: u64) -> Option<Arc<[u8]>> {
    let directory = fs::canonicalize(directory).ok()?;
    // A link must not lead elsewhere.
    let path = fs::canonicalize(directory.join(path)).ok()?;
    let metadata = fs::metadata(&path).ok()?;
    if !path.starts_with(&directory) || !metadata.is_file() || metadata.len() > most {
        return None;
    }
    Some(fs::read(&path).ok()?.into())
}

fn refused(name: &str, reason: &str) -> DataFusionError {
    DataFusionError::Plan(format!("function {name}: {reason}"))
}

#[async_trait]
impl FunctionFactory for Factory {
    async fn create(&self, _: &SessionState, statement: CreateFunction) -> Result<RegisterFunction> {
        let function = self.function(statement)?;
        Ok(RegisterFunction::Scalar(Arc::new(self.0.create(function)?)))
    }
}
