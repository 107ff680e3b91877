#!/usr/bin/env bash
# Builds the page: dist/index.html, one file, which needs no server. Needs Rust with the target wasm32-unknown-unknown, and Node.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
../npm/build.sh
npm ci --silent --ignore-scripts
npm run build --silent
echo "open $PWD/dist/index.html"
