#!/usr/bin/env bash
# Builds and tests all that runs in browsers and in Node: the package, the conformance suite on both engines, the playground.
# Prints the seconds of each stage.
#
#   web/test.sh                    # all
#   PICTURES=DIR web/test.sh    # keeps screenshots of the playground there
#
# Needs Rust with the targets wasm32-unknown-unknown and wasm32-wasip1 (added with rustup where they are missing), Node 20 or
# later with npm, and Chromium (installed with apt-get where it is missing).

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}

stage() {
    local name=$1 begin=$SECONDS
    shift
    echo "== $name"
    "$@"
    echo "== $name: $((SECONDS - begin)) s"
}

tools() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    for target in wasm32-unknown-unknown wasm32-wasip1; do
        [ -d "$sysroot/lib/rustlib/$target/lib" ] || rustup --quiet target add "$target"
    done
    [ -x "$CHROMIUM" ] || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
    (cd playground && npm ci --silent --ignore-scripts)
}

suite() {
    cargo build --profile suite --locked -p hotcell-web-suite --target wasm32-wasip1
    cp "$CARGO_TARGET_DIR/wasm32-wasip1/suite/hotcell-web-suite.wasm" suite/suite.wasm
}

# The module that is downloaded stays small.
size() {
    local bytes
    bytes=$(gzip -9 <npm/hotcell.wasm | wc -c)
    echo "hotcell.wasm: $(wc -c <npm/hotcell.wasm) bytes, $bytes with gzip"
    [ "$bytes" -lt 1500000 ]
}

stage tools tools
stage module npm/build.sh
stage size size
stage package env -C npm npm test --silent
stage suite-build suite
stage suite-wasmi node suite/run.mjs suite/suite.wasm wasmi
stage suite-chromium node suite/chromium.mjs wasmi
stage suite-js node suite/run.mjs suite/suite.wasm js
stage page env -C playground npm run build --silent
stage playground env -C playground npm test --silent
echo "== all: $SECONDS s"
