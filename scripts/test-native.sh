#!/usr/bin/env bash
# Runs the core of the native engine, and the addon, under the sanitizers of the compiler, with assertions on
# (core/assert.h). Any report ends the run.
#
#   npm run test:native -- [MUTANTS] [SEED]
#
# Address and undefined-behaviour sanitizers: kernels, builds, 87,000 graph files with each field at its bounds, cut and
# rearranged, MUTANTS (default 20,000) changed at random, shared out among the instruction sets, 1,500 wrong calls to the
# addon, and threads that end while it works for them. Thread sanitizer: builds and scans. Two cores take two minutes, more than half of it to compile; 100,000 mutants
# take half a minute more.
set -euo pipefail
cd "$(dirname "$0")/.."
mutants=${1:-20000}
seed=${2:-1}
cores=$(nproc)
# In memory where there is such a place: every file is written anew.
scratch=$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")
work=$(mktemp -d "$scratch/shortlist-native-XXXXXX")
compiler=${CXX:-g++}
flags="-std=c++17 -O1 -g -fno-omit-frame-pointer -ffp-contract=off -Wall -Wextra -Wno-psabi -pthread -DSHORTLIST_ASSERTIONS"
address="-fsanitize=address,undefined -fno-sanitize-recover=all"
thread="-fsanitize=thread"

# What was in hand when a run failed: the change of a file, or the call.
finish() {
  local status=$?
  if [ $status -ne 0 ]; then
    cat "$work"/*.txt "$work"/calls/call.txt 2>/dev/null || true
    echo "failed (mutants: $mutants, seed: $seed)"
  fi
  rm -rf "$work"
}
trap finish EXIT

build() { # name, sanitizer flags
  mkdir "$work/$1"
  printf '%s\n' src/engine/native/core/*.cc test/engine/native/harness/*.cc |
    xargs -P "$cores" -I{} sh -c "$compiler $flags $2 -c {} -o $work/$1/\$(basename {}).o"
  $compiler $flags $2 "$work/$1"/*.o -o "$work/harness-$1"
}

# The addon as node-gyp builds it, but with sanitizers, in a folder of its own.
build_addon() {
  command -v node-gyp >/dev/null || { echo "run it as: npm run test:native"; exit 1; }
  mkdir "$work/addon" "$work/calls"
  cp -r src/engine/native/{core,binding.gyp} src/engine/native/*.{cc,h} "$work/addon"
  ln -s "$PWD/node_modules" "$work/node_modules"
  CXXFLAGS="$address -DSHORTLIST_ASSERTIONS -g -fno-omit-frame-pointer" LDFLAGS="$address" JOBS=$cores \
    node-gyp rebuild --directory "$work/addon" >"$work/addon.log" 2>&1 || { cat "$work/addon.log"; exit 1; }
}

# Node itself is not instrumented, and leaves much for its end.
run_addon() { # program, arguments behind the addon
  local program=$1
  shift
  LD_PRELOAD="$($compiler -print-file-name=libasan.so) $($compiler -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 \
    node --expose-gc --import tsx "test/engine/native/$program.ts" "$work/addon/build/Release/shortlist_native.node" \
    "$work/calls" "$@" >"$work/calls/ends"
  echo "addon: $(wc -l <"$work/calls/ends") lines of $program"
}

# As many processes as cores, each with a seed of its own, and other ones the next time.
next_seed=$((seed - 1))
mutate() { # files
  local running=() share=$(($1 / cores + 1))
  for ((i = 0; i < cores; i++)); do
    # Raised here: what stands before an & is worked out in the new process.
    next_seed=$((next_seed + 1))
    "$work/harness-address" mutants "$share" "$next_seed" &
    running+=($!)
  done
  for process in "${running[@]}"; do wait "$process"; done
}

build address "$address"
build thread "$thread"
build_addon

export TMPDIR=$work
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 TSAN_OPTIONS=halt_on_error=1
isas=(generic)
for isa in avx2 avx512; do
  ! grep -q "${isa/avx512/avx512_vnni}" /proc/cpuinfo 2>/dev/null || isas+=("$isa")
done
"$work/harness-address" kernels
"$work/harness-address" fields
for isa in "${isas[@]}"; do
  SHORTLIST_ISA=$isa "$work/harness-address" build
  SHORTLIST_ISA=$isa mutate $((mutants / ${#isas[@]} + 1))
done
run_addon hostile-calls
run_addon ended-threads all 3
"$work/harness-thread" build
echo "no reports (mutants: $mutants, seed: $seed)"
