//! The engine of the JavaScript host calls back by this name; a program exports nothing that it is not told to.

fn main() {
    println!("cargo:rustc-link-arg-bins=--export=hotcell_engine_host");
}
