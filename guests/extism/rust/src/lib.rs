//! What plugins of Extism's do, each in an entry: input and output, configuration, variables, logs, errors.

use extism_pdk::*;

/// Counts the vowels of the input, which the configuration may name, and of all inputs of this instance.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<String> {
    let vowels = config::get("vowels")?.unwrap_or_else(|| "aeiouAEIOU".to_owned());
    let count = input.chars().filter(|char| vowels.contains(*char)).count();
    let total = var::get::<String>("total")?.and_then(|total| total.parse().ok()).unwrap_or(0) + count;
    var::set("total", total.to_string())?;
    Ok(serde_json::json!({ "count": count, "total": total, "vowels": vowels }).to_string())
}

/// Gives the input back.
#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}

/// Reports the input as an error.
#[plugin_fn]
pub fn fail(input: String) -> FnResult<()> {
    Err(WithReturnCode::new(Error::msg(input), 7))
}

/// Logs the input at two levels, of which one is kept.
#[plugin_fn]
pub fn say(input: String) -> FnResult<()> {
    info!("{input}");
    debug!("{input}, in detail");
    Ok(())
}

/// Panics with the input.
#[plugin_fn]
pub fn panics(input: String) -> FnResult<()> {
    panic!("{input}")
}

/// Forgets the total.
#[plugin_fn]
pub fn forget() -> FnResult<()> {
    var::remove("total")?;
    Ok(())
}
