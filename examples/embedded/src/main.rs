//! A firmware that runs WebAssembly plugins: one that works, one that never ends, and one that requests more memory
//! than the board has.
//!
//! All output goes to the debugger's console (semihosting). The exit status is 0 on success.

#![no_std]
#![no_main]

extern crate alloc;

mod clock;
#[cfg(not(feature = "worst-case"))]
mod demo;
mod end;
mod heap;
mod host;
mod policy;
mod stack;
#[cfg(feature = "worst-case")]
mod worst;

use alloc::{boxed::Box, sync::Arc};
use core::error::Error;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;

#[cfg(not(feature = "worst-case"))]
use crate::demo as work;
#[cfg(feature = "worst-case")]
use crate::worst as work;
use crate::{clock::SysTickClock, host::Host};

/// An unexpected outcome.
type Surprise = Box<dyn Error>;

#[entry]
fn main() -> ! {
    heap::init();
    let Some(board) = Peripherals::take() else {
        end::badly(format_args!("the peripherals are gone"));
    };
    let host = Host::new(Arc::new(SysTickClock::start(board.SYST)));
    let outcome = work::run(&host);
    let (size, peak) = stack::size_and_peak();
    hprintln!("stack: {peak} bytes at most, of {size}");
    match outcome {
        Ok(()) => end::well(),
        Err(surprise) => end::badly(format_args!("{surprise}")),
    }
}
