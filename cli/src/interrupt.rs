use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use hotcell::{CancelToken, Policy};

use crate::outcome::Failure;

/// Exit code of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Makes Ctrl-C cancel the call; a second one exits at once. If the policy does not allow cancelling, the first one
/// exits.
pub(crate) fn cancel_on_ctrl_c(policy: &Policy) -> Result<Option<CancelToken>, Failure> {
    let token = policy.rules().interrupt.cancel.then(CancelToken::new);
    let asked = AtomicBool::new(false);
    let handler_token = token.clone();
    ctrlc::set_handler(move || match &handler_token {
        Some(token) if !asked.swap(true, Ordering::Relaxed) => token.cancel(),
        _ => process::exit(INTERRUPTED),
    })
    .map_err(|error| Failure::stream("listen for Ctrl-C", &std::io::Error::other(error)))?;
    Ok(token)
}
