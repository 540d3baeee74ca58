#!/usr/bin/env bash
# Says what is missing on this machine and how to get it. `require.sh python` prints the Python to use:
# $PYTHON, else the first of python3.13, 3.12, 3.11 and python3 that is 3.11 or newer and can make environments.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'llmfast: %s\n' "$*" >&2
    exit 1
}

# Version shims answer `--version` only for the versions that are switched on: run it, do not look for it.
python_reason() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || {
        echo "is older than 3.11 or does not run"
        return
    }
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || echo "lacks the venv module (on Debian: apt-get install python3-venv)"
}

require_python() {
    local candidate reason seen=""
    if [[ -n "${PYTHON:-}" ]]; then
        reason=$(python_reason "$PYTHON")
        [[ -z "$reason" ]] || fail "PYTHON=$PYTHON $reason"
        command -v "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3; do
        command -v "$candidate" >/dev/null || continue
        reason=$(python_reason "$candidate")
        [[ -n "$reason" ]] || { command -v "$candidate"; return; }
        seen+=" $candidate $reason;"
    done
    fail "no usable Python 3.11 or newer is on the PATH:${seen:- none at all;} install one, or name it: make PYTHON=/path/to/python3.11"
}

require_cargo() {
    local wanted version
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    command -v cargo >/dev/null || fail "cargo is not on the PATH: install Rust $wanted or newer, see rustup.rs"
    version=$(cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p')
    [[ -n "$version" ]] || fail "cargo does not run: install Rust $wanted or newer, see rustup.rs"
    [[ $(printf '%s\n%s\n' "$wanted" "$version" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "cargo is $version, Rust $wanted or newer is needed: rustup update"
    command -v cc >/dev/null || fail "cc is not on the PATH: Rust links with a C compiler (on Debian: apt-get install gcc libc6-dev)"
    local cxx
    read -r cxx _ <<<"${CXX:-c++}"
    command -v "$cxx" >/dev/null || fail "$cxx is not on the PATH: HnswIndex needs a C++ compiler (on Debian: apt-get install g++)"
}

require_component() {
    cargo "$1" --version >/dev/null 2>&1 || fail "cargo $1 is missing: rustup component add $2"
}

for what in "$@"; do
    case $what in
        python) require_python ;;
        cargo) require_cargo ;;
        clippy) require_component clippy clippy ;;
        rustfmt) require_component fmt rustfmt ;;
        *) fail "require.sh: unknown requirement $what" ;;
    esac
done
