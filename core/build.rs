//! Gives the crate a hash of its own source: compiled code that is kept between processes is bound to it.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    let mut hash = 0xcbf2_9ce4_8422_2325;
    add(Path::new("src"), &mut hash)?;
    println!("cargo::rustc-env=HOTCELL_CORE_SOURCE={}-{hash:016x}", env!("CARGO_PKG_VERSION"));
    Ok(())
}

/// Adds names and contents of the files in `directory`, in the order of their names (FNV-1a).
fn add(directory: &Path, hash: &mut u64) -> io::Result<()> {
    let mut paths: Vec<_> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add(&path, hash)?;
            continue;
        }
        let name = path.to_string_lossy().replace('\\', "/").into_bytes();
        for byte in name.into_iter().chain(fs::read(&path)?) {
            *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    Ok(())
}
