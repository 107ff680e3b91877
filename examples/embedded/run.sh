#!/usr/bin/env bash
# Builds the firmware, shows how large it is, and runs it in QEMU.
#
#   examples/embedded/run.sh                 the demonstration, on a board with 256 KiB of RAM
#   examples/embedded/run.sh --worst-case    measures the largest modules that the policy admits
#
# Fails when the firmware ends in any other way than it should, or prints anything else.
#
# Needs Rust with the target thumbv7em-none-eabihf (added with rustup where it is missing), or else the
# component rust-src; and qemu-system-arm.

set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")"

TARGET=thumbv7em-none-eabihf
SECONDS_TO_RUN=120

# Lines that must appear, as extended regular expressions that match the whole line.
DEMO=(
    'ledger-check: [0-9]+ bytes, loaded in [0-9]+ ms'
    '  > line 12: 2024-06-03 A cake, and a button pressed twice: off by 4\.60 EUR'
    '  > failed: 4 transactions, 8 postings, 2 problems'
    '  wasmi [0-9.]+, policy [0-9a-f]{16}: fuel [1-9][0-9]*, memory [0-9]+ bytes, [0-9.]+ ms'
    'endless, unlimited fuel, deadline 200 ms: deadline-exceeded in call'
    'endless, fuel 100000, deadline 2 s: out-of-fuel in call'
    'greedy, [0-9]+ pages allowed: got [0-9]+'
    'ledger-check, once more:'
    'heap: [0-9]+ bytes at most, of [0-9]+'
)
WORST_CASE=(
    'most code: [0-9]+ bytes, loaded in [0-9]+ ms'
    'most calls: [0-9]+ bytes, loaded in [0-9]+ ms'
    'most entities: [0-9]+ bytes, loaded in [0-9]+ ms'
    'most memory at the start: [0-9]+ bytes, loaded in [0-9]+ ms'
    'most memory that grows: [0-9]+ bytes, loaded in [0-9]+ ms'
)
BOTH=(
    'stack: [0-9]+ bytes at most, of [0-9]+'
    'done'
)

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

case "${1-}" in
"")
    arguments=()
    expected=("${DEMO[@]}" "${BOTH[@]}")
    ;;
--worst-case)
    arguments=(--features worst-case)
    expected=("${WORST_CASE[@]}" "${BOTH[@]}")
    ;;
*)
    fail "unknown argument $1"
    ;;
esac

command -v cargo >/dev/null || fail "cargo is missing: install Rust from https://rustup.rs"
command -v qemu-system-arm >/dev/null || fail "qemu-system-arm is missing: apt-get install qemu-system-arm"
sysroot=$(rustc --print sysroot)
if [ ! -d "$sysroot/lib/rustlib/$TARGET/lib" ]; then
    if ! { command -v rustup >/dev/null && rustup target add "$TARGET"; }; then
        [ -e "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ] ||
            fail "no core library for $TARGET: run 'rustup target add $TARGET', or 'rustup component add rust-src'"
        # -Zbuild-std is for nightly compilers only, unless they are told otherwise.
        export RUSTC_BOOTSTRAP=1
        arguments+=(-Zbuild-std=core,alloc)
    fi
fi

cargo build --release ${arguments[@]+"${arguments[@]}"}
firmware=${CARGO_TARGET_DIR:-target}/$TARGET/release/hotcell-embedded

# The firmware's sections: the first four are in flash, .data and .bss in RAM, .uninit is the heap.
section() {
    awk -v name="$1" '$1 == name { print $2 }' <<<"$sections"
}
sections=""
for size in rust-size llvm-size arm-none-eabi-size size; do
    if command -v "$size" >/dev/null; then
        sections=$("$size" -A "$firmware")
        break
    fi
done
[ -n "$sections" ] || fail "no program for sizes: install llvm or binutils"
code=$(($(section .vector_table) + $(section .text)))
constants=$(section .rodata)
data=$(section .data)
echo "flash: $((code + constants + data)) bytes: $code of code, $constants of constants (the guests are among them)"
echo "static RAM: $((data + $(section .bss))) bytes, and $(section .uninit) for the heap"

# `cargo run` runs it in QEMU: see .cargo/config.toml.
status=0
output=$(timeout "$SECONDS_TO_RUN" cargo run --quiet --release ${arguments[@]+"${arguments[@]}"} </dev/null) || status=$?
echo "$output"
case $status in
0) ;;
124) fail "the firmware did not end within $SECONDS_TO_RUN seconds" ;;
*) fail "the firmware ended with status $status" ;;
esac
for line in "${expected[@]}"; do
    grep -qxE -- "$line" <<<"$output" || fail "the firmware did not print: $line"
done
