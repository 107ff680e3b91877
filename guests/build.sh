#!/usr/bin/env bash
# Rebuilds every guest beside this script, and manifest.toml.
#
#   guests/build.sh            build all, then write the manifest
#   guests/build.sh --check    build nothing: fail when the manifest is not what the files say
#
# Needs Rust with the target wasm32-unknown-unknown (added with rustup where it is missing), or else
# the component rust-src: then the standard library is built too. And clang with lld, where
# CLANG=... names another clang. The same compilers give the same bytes, but for the order of
# functions, which may depend on where this directory is; no path gets into them.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")"

RUST_GUESTS=(kernels kv ledger-check markdown)
C_GUESTS=(wordcount)
TARGET=wasm32-unknown-unknown
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

# Prints the cargo argument that this machine needs for a standard library, or nothing.
std_argument() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    if [ -d "$sysroot/lib/rustlib/$TARGET/lib" ]; then
        return
    fi
    if command -v rustup >/dev/null && rustup target add "$TARGET" >&2; then
        return
    fi
    if [ -e "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ]; then
        echo "-Zbuild-std=std,panic_abort"
        return
    fi
    fail "no standard library for $TARGET: run 'rustup target add $TARGET', or 'rustup component add rust-src'"
}

build_rust() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust from https://rustup.rs"
    local argument
    argument=$(std_argument)
    if [ -n "$argument" ]; then
        # -Zbuild-std is for nightly compilers only, unless they are told otherwise.
        export RUSTC_BOOTSTRAP=1
    fi

    # Panic messages name source files: by paths that are the same on every machine. The last
    # prefix that matches wins.
    local sysroot commit flags=()
    sysroot=$(rustc --print sysroot)
    commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
    flags+=("--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo")
    flags+=("--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit")
    flags+=("--remap-path-prefix=$(cd .. && pwd -P)=/hotcell")
    local IFS=$'\x1f'
    export CARGO_ENCODED_RUSTFLAGS="${flags[*]}"
    unset IFS

    cargo build --release --locked --target "$TARGET" --target-dir "$target_dir" ${argument:+"$argument"}
    local guest
    for guest in "${RUST_GUESTS[@]}"; do
        install -m 644 "$target_dir/$TARGET/release/${guest//-/_}.wasm" "$guest.wasm"
    done
}

build_c() {
    local clang=${CLANG:-clang} guest
    command -v "$clang" >/dev/null || fail "$clang is missing: install clang and lld, or set CLANG"
    for guest in "${C_GUESTS[@]}"; do
        "$clang" --target=wasm32 -mcpu=mvp -std=c11 -Os -Wall -Wextra -Werror \
            -ffreestanding -nostdlib \
            -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-zstack-size=16384 \
            -o "$target_dir/$guest.wasm" "$guest/$guest.c" ||
            fail "$clang cannot build $guest for wasm32: is lld (wasm-ld) installed?"
        install -m 644 "$target_dir/$guest.wasm" "$guest.wasm"
    done
}

# No path of this machine may be in what is published.
check_paths() {
    local path wasm
    for wasm in *.wasm; do
        for path in "$HOME/" "${CARGO_HOME:-$HOME/.cargo}/" "$(rustc --print sysroot)/" "$(cd .. && pwd -P)/"; do
            if [ "$path" != / ] && grep -qaF -- "$path" "$wasm"; then
                fail "$wasm contains the path $path"
            fi
        done
    done
}

# Everything that a .wasm is made of, relative to this directory, and the samples beside it.
sources() {
    {
        printf '%s\n' Cargo.toml Cargo.lock build.sh ../guest/Cargo.toml
        find "${RUST_GUESTS[@]}" "${C_GUESTS[@]}" ../guest/src -type f
    } | sort
}

manifest() {
    echo "# The compiled guests, and the sources that they were compiled from, by SHA-256 and relative to this"
    echo "# directory. Written by build.sh; a difference means that a guest has to be built again."
    echo
    echo "[wasm]"
    hashes < <(printf '%s.wasm\n' "${RUST_GUESTS[@]}" "${C_GUESTS[@]}" | sort)
    echo
    echo "[sources]"
    hashes < <(sources)
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
    check_paths
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
