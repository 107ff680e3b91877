//! What engines cannot do, and which fence stands before it: the one place in this crate where engines are named.
//!
//! Facts were read in the source of wasmtime 48.0.8 (with its validator, wasmparser 0.254, and Cranelift 0.135) and of
//! wasmi 1.1.0 (with wasmparser 0.239). An admitted module reaches none of these limits: those that only the guest can
//! reach are caps of [`policy::ModuleCaps`](crate::policy::ModuleCaps), and
//! those that the rewrite adds to are held against the rewritten module by `meter::limits`.
//!
//! | what the engine narrows or limits | which engine | the fence |
//! |---|---|---|
//! | distance of a conditional branch, 16 bits | wasmi | [`LARGE_BODY`]: beyond it every conditional branch is short |
//! | distance of any other branch, `br_table` included, 32 bits | wasmi | [`LARGEST_BODY`] |
//! | index of a local, an operand or a constant, 16 bits with sign | wasmi | [`MOST_SLOTS`], [`MOST_CONSTANTS`] |
//! | locals of a function | wasmi 30,000; validators 50,000 | [`MOST_SLOTS`], `module.locals` |
//! | four or more values copied by a branch or a return | wasmi: wrong results | [`MOST_RESULTS`] |
//! | height of the operand stack at a block, 16 bits | wasmi | [`MOST_SLOTS`] |
//! | parameters of a call, 16 bits | wasmi | [`MOST_PARAMS`] |
//! | targets of a `br_table` | validators 128 Ki; wasmtime 65,520 | `module.br_table` |
//! | offsets and immediates that fit 8, 16 or 32 bits | wasmi: has a wider form of each | none is needed |
//! | indices of functions, types, globals, memories, tables, segments, 32 bits | both | none is needed |
//! | fuel of one block of the engine's own metering, 32 bits | wasmi | [`LARGEST_BODY`] |
//! | bytes of a body | validators | [`LARGEST_BODY`] |
//! | types, functions, imports, exports, globals | validators | [`MOST_ITEMS`] |
//! | size of the types of all imports and exports together | validators | [`TYPE_SIZE`] |
//! | parameters of a function type | validators | [`MOST_PARAMS`] |
//! | nesting of constant expressions, by recursion | both | `module.const_expr_ops` |
//! | bytes of a memory with pages of one byte | wasmtime 2^32 - 2; wasmi 2^32 | [`LARGEST_OF_BYTE_PAGES`] |
//! | 64-bit memories that grow | wasmi: panics | the backend states `memory64` as unsupported |

/// Words of a function's code beyond which every conditional branch is made short.
///
/// wasmi encodes the distance of a conditional branch in 16 bits with sign, in words of 8 bytes, and has for longer ones
/// an encoding that is wrong backwards and, for some comparisons, missing. Admission counts words so that there are never
/// too few, and half of the reach is left.
pub(crate) const LARGE_BODY: u64 = 16_000;

/// Bytes of the largest body: the validator of wasmtime.
pub(crate) const LARGEST_BODY: u64 = 7_654_321;

/// Most types, functions, imports, exports or globals of a module: the validators of both engines.
pub(crate) const MOST_ITEMS: u64 = 1_000_000;

/// Below this is the size of a module's type: 1, and 1 for each import and export, or for a function 2 and one for each
/// parameter and result. The validators of both engines.
pub(crate) const TYPE_SIZE: u64 = 1_000_000;

/// Most parameters of a function type: the validators of both engines.
pub(crate) const MOST_PARAMS: usize = 1_000;

/// Most locals and operands of a function together. wasmi numbers them in 16 bits with sign, and computes the number
/// behind the last of a span of them: 32,767 are too many, and a few are left for what the rewrite puts on the stack.
pub(crate) const MOST_SLOTS: u64 = 32_750;

/// Most different constants of a function. wasmi numbers them downwards from -1 in 16 bits. The rest is for those of the
/// rewrite: amounts of fuel above 32,767, of which a body of 3 MB cannot have a thousand.
pub(crate) const MOST_CONSTANTS: u64 = 31_000;

/// Most results of a function, and parameters and results of a block. wasmi copies four or more wrongly.
pub(crate) const MOST_RESULTS: u64 = 3;

/// Bytes of the largest memory with 32-bit indices and pages of one byte. wasmtime stops there, so that each size and each
/// failure has a number of its own; wasmi would go on to 2^32.
pub(crate) const LARGEST_OF_BYTE_PAGES: u64 = (1 << 32) - 2;
