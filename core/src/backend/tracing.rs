//! What a traced guest tells.

use super::{Accounts, HostStop, SandboxBackend, Store};
use crate::{
    meter::tracing_types,
    reserved::{ENTER, HOST, LEAVE, Place},
    trace::Recorder,
    value::Value,
};

/// Offers the functions that a traced guest imports.
pub(super) fn define<T: Send + 'static, B: SandboxBackend>(native: &mut B::Imports<T>) {
    let [enter, leave] = tracing_types();
    B::define_values(native, HOST, ENTER, &enter, |mut caller: B::Caller<'_, T>, params: &[Value], _: &mut [Value]| {
        if let &[Value::I32(function), Value::I32(low), Value::I32(high), Value::I64(counter)] = params {
            let place = Place { low, high };
            tell(&mut caller, counter, |recorder, fuel| recorder.enter(function.cast_unsigned(), place, fuel));
        }
        Ok::<(), HostStop>(())
    });
    B::define_values(native, HOST, LEAVE, &leave, |mut caller: B::Caller<'_, T>, params: &[Value], _: &mut [Value]| {
        if let &[Value::I64(counter)] = params {
            tell(&mut caller, counter, Recorder::leave);
        }
        Ok::<(), HostStop>(())
    });
}

fn tell<T>(caller: &mut impl Store<T>, counter: i64, tell: impl FnOnce(&mut Recorder, u64)) {
    let data = caller.data_mut();
    let fuel = Accounts::fuel_left(&data.accounts, counter);
    if let Some(recorder) = &mut data.recorder {
        tell(recorder, fuel);
    }
}
