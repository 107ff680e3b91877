//! A firmware that runs WebAssembly plugins: one that does its work, one that never ends, and one that wants more
//! memory than the board has.
//!
//! Everything goes to the debugger's console (semihosting). The exit status is 0 when all went as it should.

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

/// What should not have happened.
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
