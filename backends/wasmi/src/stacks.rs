//! The stacks that an engine keeps between calls.
//!
//! An engine keeps one stack, of whatever size a guest made it, and has no call that lets go of it. But a host function
//! takes the kept stack while it runs, and one that it calls takes a new one: that is kept when the inner function ends,
//! and for the large one there is no room when the outer ends.

use alloc::sync::Arc;

use wasmi::{Caller, Engine, Func, Store, TypedFunc};

/// Drops the stack that the engine keeps, in favour of a small one.
struct Exchange {
    store: Store<()>,
    outer: TypedFunc<(), ()>,
}

impl Exchange {
    fn new(engine: &Engine) -> Option<Self> {
        let mut store = Store::new(engine, ());
        let inner = Func::wrap(&mut store, || ()).typed::<(), ()>(&store).ok()?;
        let outer = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| inner.call(&mut caller, ()));
        let outer = outer.typed(&store).ok()?;
        Some(Self { store, outer })
    }

    /// Neither function can fail.
    fn run(&mut self) {
        let _ = self.outer.call(&mut self.store, ());
    }
}

/// Exchanges the stack that an engine keeps; where guests cannot make one that is too large, it does nothing.
#[derive(Clone)]
pub(crate) struct Stacks(Option<Arc<shared::Shared>>);

impl Stacks {
    pub(crate) fn new(engine: &Engine, may_be_large: bool) -> Self {
        Self(may_be_large.then(|| Arc::new(shared::Shared::new(engine))))
    }

    fn exchange(&self) {
        if let Some(shared) = &self.0 {
            shared.exchange();
        }
    }
}

/// Fuel of exact metering with which no guest makes a stack of more than 288 KiB. A unit pays for 16 cells of a frame, for
/// which the engine has up to nine each, of 16 bytes.
const SHALLOW_FUEL: u64 = 128;

/// How deep an instance may have been, by the fuel that it used. Lets go of the stack when the instance ends.
pub(crate) struct Depth {
    stacks: Stacks,
    /// Whether fuel bounds depth: the guest counts it.
    is_exact: bool,
    /// Whether there was a call since fuel was last looked at.
    is_unknown: bool,
    /// Fuel that the operation had used then.
    used: u64,
    /// Whether an earlier operation may have left a large stack.
    was_deep: bool,
}

impl Depth {
    pub(crate) fn new(stacks: Stacks, is_exact: bool) -> Self {
        Self { stacks, is_exact, is_unknown: false, used: 0, was_deep: false }
    }

    /// The guest is called.
    #[inline]
    pub(crate) fn call(&mut self) {
        self.is_unknown = true;
    }

    /// A call has failed: a frame for which there was no room is on the engine's stack, and nobody has paid for it.
    #[cold]
    pub(crate) fn fail(&mut self) {
        self.was_deep = true;
    }

    /// Somebody looks at the fuel that is left.
    #[inline]
    pub(crate) fn measure(&mut self, given: u64, left: u64) {
        self.is_unknown &= !self.is_exact;
        self.used = given.saturating_sub(left);
    }

    #[inline]
    pub(crate) fn next_operation(&mut self) {
        self.was_deep = self.may_be_deep();
        (self.is_unknown, self.used) = (false, 0);
    }

    fn may_be_deep(&self) -> bool {
        self.was_deep || self.is_unknown || self.used > SHALLOW_FUEL
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        if self.may_be_deep() {
            self.stacks.exchange();
        }
    }
}

#[cfg(feature = "std")]
mod shared {
    use std::sync::{Mutex, PoisonError};

    use wasmi::Engine;

    use super::Exchange;

    /// Threads that share an engine take turns: else one could put back what another has just taken out.
    pub(super) struct Shared(Mutex<Option<Exchange>>);

    impl Shared {
        pub(super) fn new(engine: &Engine) -> Self {
            Self(Mutex::new(Exchange::new(engine)))
        }

        pub(super) fn exchange(&self) {
            if let Some(exchange) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
                exchange.run();
            }
        }
    }
}

#[cfg(not(feature = "std"))]
mod shared {
    use wasmi::Engine;

    use super::Exchange;

    /// Without threads nothing is kept for the next time.
    pub(super) struct Shared(Engine);

    impl Shared {
        pub(super) fn new(engine: &Engine) -> Self {
            Self(engine.clone())
        }

        pub(super) fn exchange(&self) {
            if let Some(mut exchange) = Exchange::new(&self.0) {
                exchange.run();
            }
        }
    }
}
