//! Asks for a stack of 16 KiB instead of 1 MiB, so that the guest fits into one page of memory.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg=-zstack-size=16384");
    }
}
