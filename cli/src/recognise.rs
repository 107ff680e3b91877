//! Files that are not modules, but something else that people have in their place.

/// What the bytes are, and what to do, if they are known not to be a module.
pub(crate) fn what_it_is(bytes: &[u8]) -> Option<&'static str> {
    let text = str::from_utf8(&bytes[..bytes.len().min(512)]).unwrap_or_default().trim_start().to_ascii_lowercase();
    let starts = |what: &[&str]| what.iter().any(|what| text.starts_with(what));
    Some(match bytes {
        [] => "the file is empty: did the build or the download fail?",
        [0x1f, 0x8b, ..] => "it is compressed with gzip: unpack it first, with `gunzip`",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is compressed with zstd: unpack it first, with `unzstd`",
        [b'P', b'K', 3, 4, ..] => "it is a zip archive: unpack it first",
        [0x7f, b'E', b'L', b'F', ..] => "it is a program for this kind of system (ELF): build it for wasm32",
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] => "it is a library archive (.a): link it to a module first",
        _ if starts(&["version https://git-lfs.github.com"]) => {
            "it is a pointer of Git LFS, not the file itself: run `git lfs pull`"
        }
        _ if starts(&["<!doctype", "<html", "<?xml"]) => {
            "it is a web page: the address that it was downloaded from is not that of the file"
        }
        _ if starts(&["(module", "(component", ";;", "(;"]) => "it is the text of a module: name it .wat",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_what_nobody_knows_are_not_recognised() {
        for bytes in [&b"\0asm\x01\0\0\0"[..], b"\0asm", b"text of another kind", b"\xff"] {
            assert_eq!(what_it_is(bytes), None);
        }
    }
}
