//! SQL functions for Apache DataFusion that are WebAssembly modules, under hotcell's policy.
//!
//! ```
//! use datafusion::{execution::SessionStateBuilder, prelude::SessionContext};
//! use hotcell_datafusion::Functions;
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let functions = Functions::builder().modules("guests").build();
//! let state = functions.install(SessionStateBuilder::new().with_default_features()).build();
//! let context = SessionContext::new_with_state(state);
//!
//! context.sql("CREATE FUNCTION slug(text) RETURNS text IMMUTABLE LANGUAGE wasm AS 'text.wasm'").await?;
//! context.sql("SELECT slug('Hello, World!')").await?.show().await?;
//! # Ok(())
//! # }
//! ```
//!
//! * [`Functions`]: the engine, and the limits of a query and of a host;
//! * [`Function`]: a module, an entry, types, and the limits of a batch;
//! * [`frame`]: what a guest gets and gives back, byte by byte;
//! * [`Failure`]: how a guest fails a query.
//!
//! What is promised is on the page `docs/scale-out.md` of hotcell.

#![forbid(unsafe_code)]

mod blocking;
mod call;
mod exec;
mod factory;
mod failure;
pub mod frame;
mod function;
mod functions;
mod query;
mod rule;
mod scope;
mod slots;
#[cfg(test)]
mod tests;
mod udf;

pub use exec::{GuestsExec, QueryExec};
pub use failure::Failure;
pub use function::{Function, Limits};
pub use functions::{Builder, Functions};
