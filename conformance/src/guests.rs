//! The guests that are written as text. Each begins with its purpose, the expected outcome, and the checks that use it.

/// A guest in the text format.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Its name: that of its file in `guests/`.
    pub id: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Guest {
    /// The module.
    pub fn wasm(&self) -> Vec<u8> {
        crate::fixture::wasm(self.text)
    }
}

/// The guest with that name.
pub fn guest(id: &str) -> Option<&'static Guest> {
    GUESTS.iter().find(|guest| guest.id == id)
}

macro_rules! guests {
    ($($id:literal)*) => {
        /// Every guest, by name.
        pub const GUESTS: &[Guest] = &[
            $(Guest { id: $id, text: include_str!(concat!("../guests/", $id, ".wat")) },)*
        ];
    };
}

guests! {
    "070-memory-min-4gib"
    "071-memory-min-over-policy"
    "073-memory-zero-pages"
    "074-table-min-10m"
    "076-multi-memory"
    "077-data-out-of-bounds"
    "079-data-offset-negative"
    "080-start-infinite-loop"
    "082-start-recursion"
    "083-start-grows-memory"
    "085-start-imported"
    "086-imports-memory"
    "088-memory64"
    "089-memory64-huge"
    "091-atomic-wait"
    "092-table64"
    "094-exceptions"
    "095-tail-call-loop"
    "097-function-references"
    "098-relaxed-simd"
    "100-infinite-loop"
    "101-mutual-recursion"
    "103-copy-overlap-loop"
    "104-table-fill-copy-loop"
    "106-memory-grow-one-by-one"
    "107-memory-grow-negative"
    "109-expensive-op-mispricing"
    "110-recursion-infinite"
    "112-recursion-indirect"
    "113-recursion-900-ok"
    "115-recursion-200-live-locals"
    "116-trap-unreachable"
    "118-trap-int-overflow"
    "119-trap-bad-conversion"
    "121-trap-oob-store-straddle"
    "122-trap-indirect-null"
    "124-trap-indirect-oob"
    "125-trap-dropped-segments"
    "127-nan-bits-observable"
    "128-trap-with-zero-fuel-left"
    "130-no-memory-export"
    "131-memory-is-func"
    "133-alloc-missing"
    "134-alloc-wrong-type"
    "136-alloc-is-global"
    "137-process-wrong-result"
    "139-abi-missing"
    "140-abi-future"
    "142-abi-is-global"
    "143-abi-loops"
    "145-abi-i64"
    "146-abi-takes-param"
    "148-alloc-null"
    "149-alloc-minus-one"
    "151-alloc-last-byte"
    "152-alloc-traps"
    "154-alloc-grows-memory"
    "155-process-grows-then-returns"
    "157-out-4gib"
    "158-out-all-ones"
    "161-out-one-past-end"
    "163-out-zero-len-at-end"
    "164-out-zero-len-wild-ptr"
    "166-out-bigger-than-policy"
    "167-out-high-pointer"
    "169-partial-output-then-trap"
    "170-reexported-import-as-alloc"
    "172-extra-exports"
    "173-state-across-calls"
    "175-lock-left-held"
    "176-alloc-overlap-output"
    "178-alloc-leaks"
    "179-alloc-negative-length-view"
    "181-import-wrong-signature"
    "182-import-name-ansi"
    "184-host-bad-pointer"
    "185-host-4gib-length"
    "187-host-not-utf8"
    "188-log-flood"
    "190-host-fails"
    "191-host-panics"
    "193-host-blocks"
    "194-wasi-denied"
    "196-wasi-random-4gib"
    "197-wasi-poll-forever"
    "199-wasi-fd-games"
    "200-well-behaved"
    "202-bulk-fuel-parity"
    "203-secret-in-stack-garbage"
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_file_is_a_guest_with_a_header() {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(names.len(), GUESTS.len());
        for path in names {
            let guest = guest(path.file_stem().unwrap().to_str().unwrap()).unwrap();
            for part in [";; Purpose: ", ";; Expect: ", ";; Checks: "] {
                assert!(guest.text.contains(part), "{} has no {part:?}", guest.id);
            }
            guest.wasm();
        }
    }
}
