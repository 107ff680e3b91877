//! How large a module may be: one row per cap, one column per preset.

use super::Preset;
#[cfg(feature = "serde")]
use super::text;
use crate::fences::{MOST_CONSTANTS, MOST_RESULTS};

macro_rules! caps {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $( $(#[$doc:meta])* $field:ident = $key:literal: [$default:expr, $strict:expr, $embedded:expr, $ceiling:expr], )*
        }
        $( flags { $( $(#[$flag_doc:meta])* $flag:ident: [$flag_default:expr, $flag_strict:expr, $flag_embedded:expr, $flag_ceiling:expr], )* } )?
    ) => {
        $(#[$outer])*
        pub struct $name {
            $( $(#[$doc])* pub $field: u64, )*
            $( $( $(#[$flag_doc])* pub $flag: bool, )* )?
        }

        impl $name {
            /// The caps of a preset.
            pub const fn preset(preset: Preset) -> Self {
                match preset {
                    Preset::Default => Self { $($field: $default,)* $($($flag: $flag_default,)*)? },
                    Preset::Strict => Self { $($field: $strict,)* $($($flag: $flag_strict,)*)? },
                    Preset::Embedded => Self { $($field: $embedded,)* $($($flag: $flag_embedded,)*)? },
                    Preset::Ceiling => Self { $($field: $ceiling,)* $($($flag: $flag_ceiling,)*)? },
                }
            }

            /// The lower value of each cap.
            #[must_use]
            pub fn min(&self, other: &Self) -> Self {
                Self {
                    $( $field: self.$field.min(other.$field), )*
                    $( $( $flag: self.$flag && other.$flag, )* )?
                }
            }

            /// Every cap with its key in rejections.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [ $( ($key, self.$field), )* $( $( (concat!("module.", stringify!($flag)), self.$flag as u64), )* )? ].into_iter()
            }
        }
    };
}

caps! {
    /// The caps on a module. Each bounds what an admitted module can cost a compiler, or keeps a limit or a known defect of
    /// an engine out of reach. None may be above its value in [`Preset::Ceiling`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
    pub struct ModuleCaps {
        /// Bytes of the whole binary.
        #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
        bytes = "module.bytes": [16 << 20, 4 << 20, 256 << 10, 1 << 30],
        /// Functions that the module defines.
        functions = "module.functions": [40_000, 10_000, 1_000, 1_000_000],
        /// Bytes of one function body. Compile time grows faster than body size.
        #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
        body_bytes = "module.body_bytes": [2 << 20, 256 << 10, 64 << 10, 3_000_000],
        /// Data segments.
        data_segments = "module.data_segments": [100_000, 1_000, 128, 100_000],
        /// Entries of all element segments together. One compiled entry costs about 10 microseconds and 2.5 KB.
        element_entries = "module.element_entries": [65_536, 16_384, 1_024, 10_000_000],
        /// Tables.
        tables = "module.tables": [8, 4, 1, 100],
        /// Linear memories; more than one also needs the proposal `multi-memory`.
        memories = "module.memories": [1, 1, 1, 100],
        /// Imports.
        imports = "module.imports": [1_000, 128, 64, 100_000],
        /// Exports.
        exports = "module.exports": [4_096, 1_024, 128, 100_000],
        /// Types of the type section.
        types = "module.types": [4_096, 1_024, 256, 999_000],
        /// Globals that the module defines.
        globals = "module.globals": [4_096, 1_000, 128, 100_000],
        /// Parameters of one function type.
        params = "module.params": [64, 64, 16, 1_000],
        /// Parameters of all functions together.
        params_total = "module.params_total": [200_000, 50_000, 4_000, 10_000_000],
        /// Results of a function, and parameters and results of a block. An engine copies four or more wrongly, so this
        /// cap is the same in every preset.
        results = "module.results": [MOST_RESULTS, MOST_RESULTS, MOST_RESULTS, MOST_RESULTS],
        /// Locals of one function, its parameters included.
        locals = "module.locals": [8_000, 2_000, 256, 29_000],
        /// Locals of all functions together.
        locals_total = "module.locals_total": [800_000, 200_000, 8_000, 50_000_000],
        /// Blocks of one function; a loop counts as four. Operators that a compiler or the rewrite turns into blocks
        /// count as those blocks.
        blocks = "module.blocks": [20_000, 10_000, 1_000, 10_000_000],
        /// Blocks of all functions together.
        blocks_total = "module.blocks_total": [600_000, 100_000, 8_000, 100_000_000],
        /// Loops of all functions together.
        loops_total = "module.loops_total": [80_000, 12_000, 2_000, 100_000_000],
        /// Branches of one function: `br`, `br_if`, and each target of a `br_table` except its default. A compiler's
        /// time grows with the square of the branches to one target.
        branches = "module.branches": [80_000, 5_000, 1_000, 10_000_000],
        /// Loops nested in each other.
        loop_nesting = "module.loop_nesting": [64, 64, 16, 10_000],
        /// Blocks nested in each other.
        nesting = "module.nesting": [10_000, 4_096, 256, 20_000],
        /// Locals of a function times its loop nesting.
        locals_x_loop_nesting = "module.locals_x_loop_nesting": [100_000, 50_000, 2_000, 100_000_000],
        /// Locals of a function times its blocks.
        locals_x_blocks = "module.locals_x_blocks": [2_000_000, 500_000, 50_000, 10_000_000_000],
        /// Locals of a function times its branches.
        locals_x_branches = "module.locals_x_branches": [4_000_000, 300_000, 50_000, 10_000_000_000],
        /// Targets of one `br_table`.
        br_table = "module.br_table": [8_192, 4_096, 512, 65_519],
        /// Targets of all `br_table`s together.
        br_table_total = "module.br_table_total": [1_000_000, 65_536, 2_048, 10_000_000],
        /// Operands on a function's stack. Together with its locals they are at most 32,750, in every preset.
        operand_height = "module.operand_height": [16_384, 4_096, 512, 30_000],
        /// Constants in one function: different ones, and results that can be computed from constants alone.
        constants = "module.constants": [16_384, 8_192, 1_024, MOST_CONSTANTS],
        /// Element segments.
        element_segments = "module.element_segments": [4_096, 1_000, 64, 100_000],
        /// Operators of one constant expression. Long chains overflow the host's stack inside an engine.
        const_expr_ops = "module.const_expr_ops": [16, 4, 4, 500],
        /// Bytes of one name.
        #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
        name_bytes = "module.name_bytes": [1_024, 256, 128, 100_000],
        /// Custom sections. The engine does not get them.
        custom_sections = "module.custom_sections": [256, 64, 16, 100_000],
        /// Bytes of all custom sections together.
        #[cfg_attr(feature = "serde", serde(with = "text::bytes"))]
        custom_bytes = "module.custom_bytes": [16 << 20, 2 << 20, 64 << 10, 1 << 30],
    }
    flags {
        /// Whether a `start` function is allowed. It runs before the ABI check, under the same limits as a call.
        start: [true, false, false, true],
    }
}
