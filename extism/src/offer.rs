//! The imports.

use alloc::{format, sync::Arc};

use hotcell_core::{Backend, HostCx, HostError, HostFn, Imports, backend::DuplicateImport};

use crate::{
    MODULE,
    blocks::{alloc, consume, pay, put},
    config::{ExtismConfig, LogLevel},
    http,
    kernel::{Kernel, Vars},
};

/// A backend that can have the functions of [`offer`]. Every one is, whose [`HostFn`] is a blanket impl or one per arity.
pub trait ExtismBackend:
    Backend
    + HostFn<(), ()>
    + HostFn<(), i32>
    + HostFn<(), u64>
    + HostFn<(u64,), ()>
    + HostFn<(u64,), i32>
    + HostFn<(u64,), u64>
    + HostFn<(u64, i32), ()>
    + HostFn<(u64, u64), ()>
    + HostFn<(u64, u64), u64>
{
}

impl<B> ExtismBackend for B where
    B: Backend
        + HostFn<(), ()>
        + HostFn<(), i32>
        + HostFn<(), u64>
        + HostFn<(u64,), ()>
        + HostFn<(u64,), i32>
        + HostFn<(u64,), u64>
        + HostFn<(u64, i32), ()>
        + HostFn<(u64, u64), ()>
        + HostFn<(u64, u64), u64>
{
}

/// Offers what Extism's kits import from [`MODULE`]. What a plugin imports from [`USER_MODULE`](crate::USER_MODULE), the
/// embedder offers with [`Imports::func`].
///
/// # Errors
///
/// [`DuplicateImport`] when one of the names is taken.
pub fn offer<T: Send + 'static, B: ExtismBackend>(
    imports: &mut Imports<T, B>,
    config: ExtismConfig,
) -> Result<(), DuplicateImport> {
    let config = Arc::new(config);
    offer_memory(imports)?;
    offer_input(imports)?;
    offer_output(imports)?;
    offer_config(imports, &config)?;
    offer_log(imports, config.log_level)?;
    offer_http(imports, &config)
}

fn offer_memory<T: Send + 'static, B: ExtismBackend>(imports: &mut Imports<T, B>) -> Result<(), DuplicateImport> {
    imports.step_func(MODULE, "alloc", |cx, (len,): (u64,)| alloc(cx, len))?;
    imports.step_func(MODULE, "free", |cx, (handle,): (u64,)| {
        kernel(cx).free(handle);
        Ok(())
    })?;
    for name in ["length", "length_unsafe"] {
        imports.step_func(MODULE, name, |cx, (handle,): (u64,)| Ok(kernel(cx).memory.length(handle).unwrap_or(0)))?;
    }
    imports.step_func(MODULE, "load_u8", |cx, (at,): (u64,)| Ok(byte(kernel(cx).memory.load(at))))?;
    imports.step_func(MODULE, "load_u64", |cx, (at,): (u64,)| Ok(u64::from_le_bytes(kernel(cx).memory.load(at))))?;
    imports.step_func(MODULE, "store_u8", |cx, (at, value): (u64, i32)| {
        kernel(cx).memory.store(at, [value.to_le_bytes()[0]]);
        Ok(())
    })?;
    imports.step_func(MODULE, "store_u64", |cx, (at, value): (u64, u64)| {
        kernel(cx).memory.store(at, value.to_le_bytes());
        Ok(())
    })?;
    imports.step_func(MODULE, "memory_bytes", |cx, ()| Ok(kernel(cx).memory.len()))?;
    imports.step_func(MODULE, "reset", |cx, ()| {
        let held = kernel(cx).reset();
        cx.release(held);
        Ok(())
    })?;
    Ok(())
}

fn offer_input<T: Send + 'static, B: ExtismBackend>(imports: &mut Imports<T, B>) -> Result<(), DuplicateImport> {
    imports.step_func(MODULE, "input_offset", |cx, ()| Ok(kernel(cx).input.0))?;
    imports.step_func(MODULE, "input_length", |cx, ()| Ok(kernel(cx).input.1))?;
    imports.step_func(MODULE, "input_set", |cx, (at, len): (u64, u64)| {
        kernel(cx).set_input(at, len);
        Ok(())
    })?;
    imports.step_func(MODULE, "input_load_u8", |cx, (at,): (u64,)| {
        let kernel = kernel(cx);
        Ok(kernel.input_place(at, 1).map_or(0, |at| byte(kernel.memory.load(at))))
    })?;
    imports.step_func(MODULE, "input_load_u64", |cx, (at,): (u64,)| {
        let kernel = kernel(cx);
        Ok(kernel.input_place(at, 8).map_or(0, |at| u64::from_le_bytes(kernel.memory.load(at))))
    })?;
    Ok(())
}

fn offer_output<T: Send + 'static, B: ExtismBackend>(imports: &mut Imports<T, B>) -> Result<(), DuplicateImport> {
    imports.step_func(MODULE, "output_offset", |cx, ()| Ok(kernel(cx).output.0))?;
    imports.step_func(MODULE, "output_length", |cx, ()| Ok(kernel(cx).output.1))?;
    imports.step_func(MODULE, "output_set", |cx, (at, len): (u64, u64)| {
        kernel(cx).set_output(at, len);
        Ok(())
    })?;
    imports.step_func(MODULE, "error_get", |cx, ()| Ok(kernel(cx).error))?;
    imports.step_func(MODULE, "error_set", |cx, (handle,): (u64,)| {
        kernel(cx).set_error(handle);
        Ok(())
    })?;
    Ok(())
}

fn offer_config<T: Send + 'static, B: ExtismBackend>(
    imports: &mut Imports<T, B>,
    config: &Arc<ExtismConfig>,
) -> Result<(), DuplicateImport> {
    let most = config.max_var_bytes;
    let config = config.clone();
    imports.step_func(MODULE, "config_get", move |cx, (key,): (u64,)| {
        let key = consume(cx, key, "a key of the configuration")?;
        let value = core::str::from_utf8(&key).ok().and_then(|key| config.config.get(key));
        value.map_or(Ok(0), |value| put(cx, value.as_bytes()))
    })?;
    imports.step_func(MODULE, "var_get", |cx, (key,): (u64,)| {
        let key = consume(cx, key, "the key of a variable")?;
        let Some(len) = kernel(cx).vars.get(&key).map(|value| value.len() as u64) else { return Ok(0) };
        pay(cx, len)?;
        let handle = alloc(cx, len)?;
        let Kernel { memory, vars, .. } = kernel(cx);
        if let (true, Some(value)) = (handle != 0, vars.get(&key)) {
            memory.copy_in(handle, value);
        }
        Ok(handle)
    })?;
    imports.step_func(MODULE, "var_set", move |cx, (key, value): (u64, u64)| set_var(cx, key, value, most))?;
    Ok(())
}

fn set_var<B: ExtismBackend, T: Send + 'static>(
    cx: &mut HostCx<'_, B, T>,
    key: u64,
    value: u64,
    most: u64,
) -> Result<(), HostError> {
    let key = consume(cx, key, "the key of a variable")?;
    let was = kernel(cx).vars.remove(&key);
    cx.release(was);
    if value == 0 {
        return Ok(());
    }
    let value = consume(cx, value, "the value of a variable")?;
    let cost = Vars::cost(&key, &value);
    if kernel(cx).vars.bytes() + cost > most || !cx.reserve(cost) {
        return Err(HostError::guest(format!("there is no room for a variable of {} bytes", value.len())));
    }
    kernel(cx).vars.set(key, value);
    Ok(())
}

fn offer_log<T: Send + 'static, B: ExtismBackend>(
    imports: &mut Imports<T, B>,
    least: LogLevel,
) -> Result<(), DuplicateImport> {
    let levels = [
        ("log_trace", LogLevel::Trace),
        ("log_debug", LogLevel::Debug),
        ("log_info", LogLevel::Info),
        ("log_warn", LogLevel::Warn),
        ("log_error", LogLevel::Error),
    ];
    for (name, level) in levels {
        imports.step_func(MODULE, name, move |cx, (message,): (u64,)| log(cx, message, level, level >= least))?;
    }
    imports.step_func(MODULE, "get_log_level", move |_, ()| Ok(least.number()))?;
    Ok(())
}

fn log<B: ExtismBackend, T: Send + 'static>(
    cx: &mut HostCx<'_, B, T>,
    message: u64,
    level: LogLevel,
    is_kept: bool,
) -> Result<(), HostError> {
    // A kit has no block for a message without bytes.
    let len = if message == 0 { Some(0) } else { kernel(cx).memory.length(message) };
    let Some(len) = len else {
        return Err(HostError::guest(format!("a message is no block of memory: {message:#x}")));
    };
    if is_kept {
        pay(cx, len)?;
        let (_, kernel, streams) = cx.parts::<Kernel>();
        streams.write_err(level.name().as_bytes());
        streams.write_err(b": ");
        kernel.memory.pieces(message, len).for_each(|piece| streams.write_err(piece));
        streams.write_err(b"\n");
    }
    kernel(cx).free(message);
    Ok(())
}

fn offer_http<T: Send + 'static, B: ExtismBackend>(
    imports: &mut Imports<T, B>,
    config: &Arc<ExtismConfig>,
) -> Result<(), DuplicateImport> {
    let config = config.clone();
    imports.func(MODULE, "http_request", move |cx, handles: (u64, u64)| {
        http::request(cx, config.http.as_deref(), handles)
    })?;
    imports.step_func(MODULE, "http_status_code", |cx, ()| Ok(i32::from(kernel(cx).status)))?;
    imports.step_func(MODULE, "http_headers", |cx, ()| http::headers(cx))?;
    Ok(())
}

fn kernel<'a, B: ExtismBackend, T: Send + 'static>(cx: &'a mut HostCx<'_, B, T>) -> &'a mut Kernel {
    cx.extension()
}

fn byte([byte]: [u8; 1]) -> i32 {
    byte.into()
}
