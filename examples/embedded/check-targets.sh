#!/usr/bin/env bash
# Checks that the library compiles for targets without a JIT, with and without an operating system, and inside WebAssembly.
#
#   examples/embedded/check-targets.sh
#
# Needs Rust with these targets (added with rustup where they are missing), or else the component rust-src. Nothing is
# linked, so no other toolchain is needed.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The facade with wasmi alone: needs std.
STD=(aarch64-apple-ios aarch64-linux-android wasm32-unknown-unknown wasm32-wasip1)
# hotcell-core and hotcell-wasmi: no_std and alloc, on processors with atomic instructions.
NO_STD=(thumbv7em-none-eabihf riscv32imac-unknown-none-elf)

command -v cargo >/dev/null || {
    echo "check-targets.sh: cargo is missing: install Rust from https://rustup.rs" >&2
    exit 1
}
sysroot=$(rustc --print sysroot)
failed=()

# check TARGET CRATES-TO-BUILD-WHERE-THERE-IS-NO-STD ARGUMENT...
check() {
    local target=$1 crates=$2
    shift 2
    if [ ! -d "$sysroot/lib/rustlib/$target/lib" ] &&
        ! { command -v rustup >/dev/null && rustup --quiet target add "$target"; }; then
        # -Zbuild-std is for nightly compilers only, unless they are told otherwise.
        local -x RUSTC_BOOTSTRAP=1
        set -- "-Zbuild-std=$crates" "$@"
    fi
    if cargo check --quiet --target "$target" "$@"; then
        echo "ok      $target"
    else
        echo "FAILED  $target"
        failed+=("$target")
    fi
}

echo "the facade, with the feature wasmi:"
for target in "${STD[@]}"; do
    check "$target" std,panic_abort -p hotcell --no-default-features --features wasmi
done
echo "hotcell-core and hotcell-wasmi, no_std:"
for target in "${NO_STD[@]}"; do
    check "$target" core,alloc -p hotcell-core -p hotcell-wasmi --no-default-features
done
[ ${#failed[@]} -eq 0 ]
