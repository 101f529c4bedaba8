#!/usr/bin/env bash
# Runs the core of the native engine under the sanitizers of the compiler.
#
#   npm run test:native -- [MUTANTS] [SEED]
#
# Address and undefined-behaviour sanitizer: kernels, builds, and graph files with hostile bytes. Thread sanitizer: builds
# and scans. A report of any of them ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
mutants=${1:-20000}
seed=${2:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-g++}
flags=(-std=c++17 -O1 -g -fno-omit-frame-pointer -ffp-contract=off -Wall -Wextra -Wno-psabi -pthread)

build() { # name, sanitizer flags
  mkdir "$work/$1"
  for source in src/engine/native/core/*.cc test/native/harness/harness.cc; do
    echo "$source"
  done | xargs -P "$(nproc)" -I{} sh -c \
    "$compiler ${flags[*]} $2 -c {} -o $work/$1/\$(basename {}).o"
  "$compiler" "${flags[@]}" $2 "$work/$1"/*.o -o "$work/harness-$1"
}

build address "-fsanitize=address,undefined -fno-sanitize-recover=all"
build thread "-fsanitize=thread"

export TMPDIR=$work
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 TSAN_OPTIONS=halt_on_error=1
"$work/harness-address" kernels
for isa in generic avx2 avx512; do
  grep -q "${isa/avx512/avx512_vnni}" /proc/cpuinfo 2>/dev/null || [ "$isa" = generic ] || continue
  SHORTLIST_ISA=$isa "$work/harness-address" build
  SHORTLIST_ISA=$isa "$work/harness-address" mutants $((mutants / 3 + 1)) "$seed"
done
"$work/harness-thread" build
echo "no reports (mutants: $mutants, seed: $seed)"
