//! The policy of the plugins that do their work. `--worst-case` measures what it admits: change it here, and measure.

use hotcell_core::Policy;

pub(crate) fn policy() -> Policy {
    Policy::embedded()
}
