#!/usr/bin/env bash
# Builds the package's WebAssembly module. Needs Rust with the target wasm32-unknown-unknown.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cargo build --release --locked --manifest-path ../Cargo.toml -p hotcell-web --target wasm32-unknown-unknown
cp "${CARGO_TARGET_DIR:-../target}/wasm32-unknown-unknown/release/hotcell_web.wasm" hotcell.wasm
# The half of the backend `js` that is JavaScript.
cp ../../backends/js/engine.js src/engine.js
