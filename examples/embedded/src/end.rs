//! The ends of the firmware, and their reports to the debugger.

#![expect(unsafe_code, reason = "the runtime wants the hard fault's handler to be an unsafe function")]

use core::{fmt, panic::PanicInfo};

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::{
    debug::{self, EXIT_FAILURE, EXIT_SUCCESS, ExitStatus},
    hprintln,
};

/// Ends with success.
pub(crate) fn well() -> ! {
    hprintln!("done");
    exit(EXIT_SUCCESS)
}

/// Ends with a failure.
pub(crate) fn badly(surprise: fmt::Arguments<'_>) -> ! {
    hprintln!("surprise: {}", surprise);
    exit(EXIT_FAILURE)
}

fn exit(status: ExitStatus) -> ! {
    debug::exit(status);
    // Without a debugger there is nothing to exit to.
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    badly(format_args!("{info}"))
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    badly(format_args!("hard fault: {frame:?}"))
}
