#!/usr/bin/env bash
# Rebuilds every guest beside this script, and manifest.toml.
#
#   guests/build.sh            build all, then write the manifest
#   guests/build.sh --check    build nothing: fail when the manifest is not what the files say
#
# Needs Rust with the target wasm32-unknown-unknown, and clang with lld (CLANG=... names another clang, such as
# "zig cc").

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")"

RUST_GUESTS=(echo text)
TARGET=wasm32-unknown-unknown
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

build_rust() {
    local sysroot commit flags=()
    sysroot=$(rustc --print sysroot)
    commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
    # Panic messages name source files: by paths that are the same on every machine.
    flags+=("--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo")
    flags+=("--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit")
    flags+=("--remap-path-prefix=$(cd ../../.. && pwd -P)=/hotcell")
    local IFS=$'\x1f'
    export CARGO_ENCODED_RUSTFLAGS="${flags[*]}"
    unset IFS
    cargo build --release --locked --target "$TARGET" --target-dir "$target_dir"
    local guest
    for guest in "${RUST_GUESTS[@]}"; do
        install -m 644 "$target_dir/$TARGET/release/$guest.wasm" "$guest.wasm"
    done
}

build_c() {
    # Words on purpose: CLANG may be a program and its first argument.
    ${CLANG:-clang} --target=wasm32 -mcpu=mvp -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib \
        -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-zstack-size=16384 -o luhn.wasm luhn/luhn.c ||
        fail "cannot build luhn for wasm32: are clang and lld (wasm-ld) installed?"
    chmod 644 luhn.wasm
}

manifest() {
    echo "# The compiled guests, and the sources that they were compiled from, by SHA-256 and relative to this"
    echo "# directory. Written by build.sh; a difference means that a guest has to be built again."
    echo
    echo "[wasm]"
    hashes < <(printf '%s\n' *.wasm)
    echo
    echo "[sources]"
    hashes < <({
        printf '%s\n' Cargo.toml Cargo.lock build.sh ../../../guest/Cargo.toml
        find "${RUST_GUESTS[@]}" luhn ../../../guest/src -type f
    } | sort)
}

hashes() {
    local path hash
    while read -r path; do
        hash=$(sha256sum -- "$path") || fail "cannot read $path"
        printf '"%s" = "%s"\n' "$path" "${hash%% *}"
    done
}

case "${1-}" in
"")
    build_rust
    build_c
    manifest >manifest.toml.new
    mv manifest.toml.new manifest.toml
    wc -c -- *.wasm
    ;;
--check)
    diff -u manifest.toml <(manifest) || fail "the manifest is not up to date: run guests/build.sh"
    ;;
*)
    fail "unknown argument $1"
    ;;
esac
