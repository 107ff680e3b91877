use core::time::Duration;

use super::Preset;
#[cfg(feature = "serde")]
use super::text;
use crate::fences::LARGEST_OF_BYTE_PAGES;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Bytes of a table element, counted against [`Limits::memory_bytes`].
pub const TABLE_ELEMENT_BYTES: u64 = 8;

/// Size in bytes of the largest memory that every engine supports, whatever the policy allows: by the log2 of its page
/// size, which is 16 or 0, and by whether its indices are 64 bits wide.
///
/// With 32-bit indices this is 2^32 - 2 bytes for pages of one byte, and 2^32 for pages of 64 KiB. With 64-bit indices
/// it is the maximum of [`Limits::memory_bytes`].
pub const fn largest_memory(page_size_log2: u32, memory64: bool) -> u64 {
    match (page_size_log2, memory64) {
        (_, true) => MOST_MEMORY_BYTES,
        (0, false) => LARGEST_OF_BYTE_PAGES,
        (_, false) => 1 << 32,
    }
}

/// The maximum of [`Limits::memory_bytes`].
pub(super) const MOST_MEMORY_BYTES: u64 = 1 << 46;

/// Bytes of a stack cell, the unit in which exact metering counts the stack.
pub const CELL_BYTES: u64 = 8;

/// Version of the cost table of exact metering: part of every fingerprint.
pub const COST_VERSION: u64 = 6;

/// What one operation may use: instantiation, ABI check, `alloc` and the entry share one budget.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Limits {
    /// Instructions, as [`Metering`](super::Metering) counts them; `None` is unlimited.
    #[cfg_attr(feature = "serde", serde(with = "text::unlimited"))]
    pub fuel: Option<u64>,
    /// Wall-clock time of the operation, host functions included unless they are
    /// [off the clock](crate::HostCx::off_the_clock); `None` is no deadline.
    #[cfg_attr(feature = "serde", serde(with = "text::deadline"))]
    pub deadline: Option<Duration>,
    /// Bytes of all linear memories and tables of a store together, and of what host functions
    /// [reserve](crate::HostCx::reserve) for it; a table element counts 8 bytes. Inclusive.
    #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
    pub memory_bytes: u64,
    /// Elements of all tables of a store together. Inclusive.
    pub table_elements: u64,
    /// Bytes of stack for the guest's frames.
    #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
    pub stack_bytes: u64,
    /// Bytes of input to one call.
    #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
    pub input_bytes: u64,
    /// Bytes of one reply.
    #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
    pub output_bytes: u64,
    /// Calls of host functions by one operation; `None` is unlimited.
    #[cfg_attr(feature = "serde", serde(with = "text::unlimited"))]
    pub host_calls: Option<u64>,
    /// How deep a host function may call back into the guest; 0 forbids it.
    pub reentry: u32,
}

impl Limits {
    pub(super) fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Default => Self {
                fuel: Some(1_000_000_000),
                deadline: Some(Duration::from_secs(30)),
                memory_bytes: 256 * MIB,
                table_elements: 1 << 20,
                stack_bytes: 512 * KIB,
                input_bytes: 64 * MIB,
                output_bytes: 64 * MIB,
                host_calls: None,
                reentry: 0,
            },
            Preset::Strict => Self {
                fuel: Some(100_000_000),
                deadline: Some(Duration::from_secs(10)),
                memory_bytes: 64 * MIB,
                table_elements: 10_000,
                stack_bytes: 512 * KIB,
                input_bytes: 8 * MIB,
                output_bytes: 8 * MIB,
                host_calls: Some(10_000),
                reentry: 0,
            },
            Preset::Embedded => Self {
                fuel: Some(10_000_000),
                deadline: Some(Duration::from_secs(2)),
                memory_bytes: 256 * KIB,
                table_elements: 1_024,
                stack_bytes: 16 * KIB,
                input_bytes: 32 * KIB,
                output_bytes: 32 * KIB,
                host_calls: Some(1_000),
                reentry: 0,
            },
            Preset::Ceiling => Self {
                fuel: Some(100_000_000_000),
                deadline: Some(Duration::from_secs(600)),
                memory_bytes: 4096 * MIB,
                table_elements: 10_000_000,
                stack_bytes: 1024 * KIB,
                input_bytes: 1024 * MIB,
                output_bytes: 1024 * MIB,
                host_calls: None,
                reentry: 0,
            },
        }
    }
}

/// What may interrupt a running call. A call does not pay for what the policy does not enable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Interrupt {
    /// The deadline of [`Limits::deadline`].
    pub deadline: bool,
    /// A [`CancelToken`](crate::CancelToken) that another thread holds.
    pub cancel: bool,
}
