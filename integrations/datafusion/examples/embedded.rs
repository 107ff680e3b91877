//! SQL over a file, with a function written in Rust and one in C.

use datafusion::{
    execution::SessionStateBuilder,
    prelude::{CsvReadOptions, SessionContext},
};
use hotcell_datafusion::Functions;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = env!("CARGO_MANIFEST_DIR");
    let functions = Functions::builder().modules(format!("{here}/guests")).query_fuel(1_000_000_000).build();
    let state = functions.install(SessionStateBuilder::new().with_default_features()).build();
    let context = SessionContext::new_with_state(state);
    context.register_csv("orders", format!("{here}/examples/orders.csv"), CsvReadOptions::new()).await?;

    for statement in [
        "CREATE FUNCTION slug(TEXT) RETURNS TEXT IMMUTABLE LANGUAGE wasm AS 'text.wasm'",
        "CREATE FUNCTION luhn(TEXT) RETURNS BOOLEAN IMMUTABLE LANGUAGE wasm AS 'luhn.wasm'",
    ] {
        context.sql(statement).await?;
    }
    const QUERY: &str = "SELECT title, slug(title) AS link, luhn(card) AS card FROM orders ORDER BY link";
    context.sql(QUERY).await?.show().await?;
    Ok(())
}
