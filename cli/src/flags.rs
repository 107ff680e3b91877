//! Which flag sets which limit of the policy.

/// The flag for this key of a policy; a policy file has all of them.
pub(crate) fn flag(key: &str) -> &'static str {
    match key {
        "limits.fuel" => "--fuel",
        "limits.deadline" => "--deadline",
        "limits.memory_bytes" => "--max-memory",
        "limits.stack_bytes" => "--max-stack",
        _ => "a file for --policy",
    }
}

/// A message that names the key in brackets, with the flag beside it.
pub(crate) fn with_flag(message: &str, key: &str) -> String {
    message.replacen(&format!("({key})"), &format!("({key}, {})", flag(key)), 1)
}
