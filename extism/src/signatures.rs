use alloc::borrow::ToOwned;

use hotcell_core::{
    Signature,
    ValType::{self, I32, I64},
    admit::FuncType,
};

use crate::MODULE;

/// Names of one type.
type Row = (&'static [&'static str], &'static [ValType], &'static [ValType]);

const ROWS: [Row; 9] = [
    (&["reset"], &[], &[]),
    (&["get_log_level", "http_status_code"], &[], &[I32]),
    (
        &[
            "error_get",
            "http_headers",
            "input_length",
            "input_offset",
            "memory_bytes",
            "output_length",
            "output_offset",
        ],
        &[],
        &[I64],
    ),
    (&["error_set", "free", "log_debug", "log_error", "log_info", "log_trace", "log_warn"], &[I64], &[]),
    (&["input_load_u8", "load_u8"], &[I64], &[I32]),
    (&["alloc", "config_get", "input_load_u64", "length", "length_unsafe", "load_u64", "var_get"], &[I64], &[I64]),
    (&["store_u8"], &[I64, I32], &[]),
    (&["input_set", "output_set", "store_u64", "var_set"], &[I64, I64], &[]),
    (&["http_request"], &[I64, I64], &[I64]),
];

/// The names and types of what [`offer`](crate::offer) defines: for admission without a backend.
pub fn signatures() -> impl Iterator<Item = Signature> {
    ROWS.into_iter().flat_map(|(names, params, results)| {
        names.iter().map(move |name| Signature {
            module: MODULE.to_owned(),
            name: (*name).to_owned(),
            ty: FuncType { params: params.to_vec(), results: results.to_vec() },
        })
    })
}
