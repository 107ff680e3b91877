//! Gives the crate a hash of its own source and manifest: compiled code that is kept between processes is bound to it.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for path in ["Cargo.toml", "src"] {
        println!("cargo::rerun-if-changed={path}");
        add(Path::new(path), &mut hash)?;
    }
    println!("cargo::rustc-env=HOTCELL_CORE_SOURCE={}-{hash:016x}", env!("CARGO_PKG_VERSION"));
    Ok(())
}

/// Adds the name and content of a file, or of all files in a directory, in the order of their names (FNV-1a).
fn add(path: &Path, hash: &mut u64) -> io::Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| add(path, hash));
    }
    let name = path.to_string_lossy().replace('\\', "/").into_bytes();
    for byte in name.into_iter().chain(fs::read(path)?) {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    Ok(())
}
