//! The suite's messages for traps, and our codes.

/// By the beginning of the message, because the suite uses versions of different length. Old scripts have one message
/// for memories and tables.
const CODES: &[(&str, &[&str])] = &[
    ("unreachable", &["trap-unreachable"]),
    ("out of bounds memory access", &["trap-memory-out-of-bounds"]),
    ("out of bounds table access", &["trap-table-out-of-bounds"]),
    ("out of bounds", &["trap-memory-out-of-bounds", "trap-table-out-of-bounds"]),
    ("undefined", &["trap-table-out-of-bounds"]),
    ("uninitialized", &["trap-indirect-call-to-null"]),
    ("indirect call", &["trap-bad-signature"]),
    ("integer overflow", &["trap-integer-overflow"]),
    ("integer divide by zero", &["trap-integer-division-by-zero"]),
    ("invalid conversion to integer", &["trap-bad-conversion-to-integer"]),
    ("call stack exhausted", &["stack-overflow"]),
];

/// The codes of the faults with which the suite's `message` may end a call: none for an unknown message.
pub(crate) fn codes_of(message: &str) -> &'static [&'static str] {
    CODES.iter().find(|(prefix, _)| message.starts_with(prefix)).map_or(&[], |(_, codes)| codes)
}
