//! Requests, and what answers them.

use std::{cell::RefCell, rc::Rc};

use hotcell::{AnyPlugin, Contract, Value, parse_policy};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    host::{self, Function, ValTypeName},
    lines,
    outcome::{Failure, JsonReport},
    sandbox::AnySandbox,
};

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
enum Request {
    /// Checks a policy.
    Policy { policy: String },
    /// Makes the sandbox of this module: there is one.
    Sandbox { policy: String, engine: String },
    /// Loads the module in the bytes.
    Load { entry: Option<String>, command: bool, imports: Vec<Function> },
    /// Calls the entry with the bytes.
    Call { plugin: usize, entry: String },
    /// Calls an export with values.
    CallValues { plugin: usize, export: String, params: Vec<(ValTypeName, String)> },
    /// Forgets a plugin.
    Drop { plugin: usize },
    /// Assembles the text in the bytes.
    Text,
    /// The line of the text in the bytes from which the assembler makes this byte.
    Line { offset: u64 },
}

/// JSON and bytes.
type Reply = (Json, Vec<u8>);

thread_local! {
    static SANDBOX: RefCell<Option<Rc<AnySandbox>>> = const { RefCell::new(None) };
    static PLUGINS: RefCell<Vec<Option<Rc<dyn AnyPlugin>>>> = const { RefCell::new(Vec::new()) };
}

/// Answers a request with JSON, which is `{"ok": ..}` or `{"error": ..}`, and bytes.
pub(crate) fn answer(json: &[u8], bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let request = serde_json::from_slice(json).map_err(|error| Failure::caller(error.to_string()));
    let (json, bytes) = match request.and_then(|request| perform(request, bytes)) {
        Ok((json, bytes)) => (json!({ "ok": json }), bytes),
        Err(failure) => (json!({ "error": failure }), Vec::new()),
    };
    (json.to_string().into_bytes(), bytes)
}

fn perform(request: Request, bytes: &[u8]) -> Result<Reply, Failure> {
    match request {
        Request::Policy { policy } => check(&policy),
        Request::Sandbox { policy, engine } => make(&policy, &engine),
        Request::Load { entry, command, imports } => load(bytes, entry, command, imports),
        Request::Call { plugin, entry } => {
            let reply = find(plugin)?.call(&entry, bytes, None)?;
            Ok((json!({ "report": JsonReport::from(&reply.report) }), reply.bytes))
        }
        Request::CallValues { plugin, export, params } => call_values(plugin, &export, &params),
        Request::Drop { plugin } => {
            PLUGINS.with_borrow_mut(|plugins| plugins.get_mut(plugin).map(Option::take));
            Ok((Json::Null, Vec::new()))
        }
        Request::Text => Ok((Json::Null, lines::assemble(text(bytes)?)?)),
        Request::Line { offset } => Ok((json!(lines::line_of(text(bytes)?, offset)), Vec::new())),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    str::from_utf8(bytes).map_err(|error| Failure::text(&error.to_string(), 1))
}

fn check(policy: &str) -> Result<Reply, Failure> {
    let policy = parse_policy(policy)?;
    let text = toml::to_string(&policy).map_err(|error| Failure::caller(error.to_string()))?;
    Ok((json!({ "text": text, "fingerprint": policy.fingerprint().to_string() }), Vec::new()))
}

fn make(policy: &str, engine: &str) -> Result<Reply, Failure> {
    let made = AnySandbox::new(engine, parse_policy(policy)?)?;
    let notes = made.notes();
    SANDBOX.set(Some(Rc::new(made)));
    Ok((json!({ "notes": notes }), Vec::new()))
}

fn load(bytes: &[u8], entry: Option<String>, command: bool, imports: Vec<Function>) -> Result<Reply, Failure> {
    let sandbox = SANDBOX.with_borrow(Clone::clone).ok_or_else(|| Failure::caller("no sandbox".to_owned()))?;
    let contract = match (entry, command) {
        (_, true) => Contract::Command,
        (Some(entry), false) => Contract::Bytes { entry },
        (None, false) => Contract::None,
    };
    let plugin: Rc<dyn AnyPlugin> = sandbox.load(bytes, &host::imports(imports)?, &contract)?.into();
    let (exports, notes) = (plugin.summary().exports.iter(), plugin.notes());
    let exports: Vec<String> = exports.map(|export| export.name.clone()).collect();
    let number = PLUGINS.with_borrow_mut(|plugins| {
        plugins.push(Some(plugin));
        plugins.len() - 1
    });
    Ok((json!({ "plugin": number, "exports": exports, "notes": notes }), Vec::new()))
}

fn find(plugin: usize) -> Result<Rc<dyn AnyPlugin>, Failure> {
    let found = PLUGINS.with_borrow(|plugins| plugins.get(plugin).cloned().flatten());
    found.ok_or_else(|| Failure::caller("no such plugin".to_owned()))
}

fn call_values(plugin: usize, export: &str, params: &[(ValTypeName, String)]) -> Result<Reply, Failure> {
    let params: Option<Vec<Value>> = params.iter().map(|(ty, text)| parse(*ty, text)).collect();
    let params = params.ok_or_else(|| Failure::caller("a number that is none".to_owned()))?;
    let (results, report) = find(plugin)?.call_values(export, &params, None)?;
    let results: Vec<Json> = results.into_iter().map(show).collect();
    Ok((json!({ "results": results, "report": JsonReport::from(&report) }), Vec::new()))
}

fn parse(ty: ValTypeName, text: &str) -> Option<Value> {
    Some(match ty {
        ValTypeName::I32 => Value::I32(text.parse().ok()?),
        ValTypeName::I64 => Value::I64(text.parse().ok()?),
        ValTypeName::F32 => Value::F32(text.parse::<f32>().ok()?.to_bits()),
        ValTypeName::F64 => Value::F64(text.parse::<f64>().ok()?.to_bits()),
    })
}

/// Its type and its text.
fn show(value: Value) -> Json {
    let text = match value {
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::F32(bits) => f32::from_bits(bits).to_string(),
        Value::F64(bits) => f64::from_bits(bits).to_string(),
        other => other.to_string(),
    };
    json!([value.ty().name(), text])
}
