#!/usr/bin/env bash
# Rebuilds both plugins beside this script. Needs Rust with the target wasm32-unknown-unknown, and Node with npm: the kits come
# from their registries.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Panic messages name source files: by paths that are the same on every machine.
library=$(rustc --print sysroot)/lib/rustlib/src/rust
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$library=/rustc/$commit --remap-path-prefix=$here=/extism"
(cd "$here/rust" && cargo build --release --locked --target wasm32-unknown-unknown --target-dir "$work/rust")
install -m 644 "$work/rust/wasm32-unknown-unknown/release/words.wasm" "$here/words-rust.wasm"

cp "$here"/assemblyscript/{package.json,package-lock.json,words.ts} "$work"
cd "$work"
npm ci --no-audit --no-fund
npx --no-install asc words.ts --outFile words.wasm --runtime stub -O2 --noAssert --use abort=words/giveUp
install -m 644 words.wasm "$here/words-assemblyscript.wasm"
wc -c -- "$here"/*.wasm
