#!/bin/bash
# The nightly build on Slurm: three jobs, each of which starts when the one before has succeeded.
#   plan       writes the plan
#   shard      an array job: one task for each shard
#   assemble   makes the version of the shards; then publishes it, if the gate passes
#
#   SHORTLIST_ROOT=/shared/indexes scripts/slurm/nightly.sh listings /shared/feed 4 --metric cosine
#
# Takes the index, its input, the number of shards, and more options of plan-build. SHORTLIST_ROOT must be an absolute
# path on a file system that all nodes share. With SHORTLIST_SOURCE, the URL of an object store, the version is pushed
# and published there rather than here. SBATCH_PARTITION, SBATCH_ACCOUNT and the like hold as for any sbatch.
# `shortlist` must be a command on the nodes; options below set their resources.
#
# Prints the numbers of the three jobs. Their logs are below $SHORTLIST_ROOT/.runs. If one fails, those after it are
# cancelled.
set -euo pipefail

TRIES=3
TRY_AGAIN_SECONDS=30

# Runs a command. Tries again after input/output errors (74) and where something is busy (75).
try() {
  local code try
  for ((try = 1; ; try++)); do
    "$@" && return
    code=$?
    if ((try == TRIES || code != 74 && code != 75)); then return "$code"; fi
    sleep "$TRY_AGAIN_SECONDS"
  done
}

submit() {
  local index=$1 shards=$3 run plan built
  run=$SHORTLIST_ROOT/.runs/$index-$(date -u +%Y%m%dT%H%M%SZ)
  mkdir -p "$run"
  local options=(--parsable --requeue --kill-on-invalid-dep=yes --export=ALL)

  # Set them to what `shortlist plan` gives for your rows. These are for 1M vectors of 128 in 4 shards.
  plan=$(sbatch "${options[@]}" --job-name=shortlist-plan --output="$run/plan.log" \
    --time=1:00:00 --cpus-per-task=2 --mem=2G "$0" plan "$run" "$@")
  built=$(sbatch "${options[@]}" --job-name=shortlist-shard --output="$run/shard-%a.log" \
    --time=4:00:00 --cpus-per-task=8 --mem=4G --array="0-$((shards - 1))" --dependency="afterok:${plan%%;*}" \
    "$0" shard "$run")
  sbatch "${options[@]}" --job-name=shortlist-assemble --output="$run/assemble.log" \
    --time=4:00:00 --cpus-per-task=8 --mem=4G --dependency="afterok:${built%%;*}" "$0" assemble "$run" "$index" |
    sed "s/^/plan ${plan%%;*}, shards ${built%%;*}, assemble /"
}

plan() {
  local run=$1 index=$2 input=$3 shards=$4
  shift 4
  # shellcheck disable=SC2086 # it may be several words
  try shortlist plan-build "$index" --input $input --shards "$shards" --out "$run/plan" "$@"
}

shard() {
  try shortlist build-shard --plan "$1/plan" # the shard is SLURM_ARRAY_TASK_ID
}

assemble() {
  local run=$1 index=$2 target
  if [[ -z ${SHORTLIST_SOURCE:-} ]]; then
    try shortlist assemble --plan "$run/plan" --publish
    return
  fi
  try shortlist assemble --plan "$run/plan" --json | tee "$run/assembled.json"
  target=$index@$(node -p 'JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).version' \
    "$run/assembled.json")
  try shortlist push "$target" --to "$SHORTLIST_SOURCE"
  # The gate reads the versions here, and compares with the one that the store publishes.
  try shortlist publish "$target" --root "$SHORTLIST_SOURCE" --cache "$SHORTLIST_ROOT"
}

case ${SLURM_JOB_ID:+job} in
  job) "$@" ;;
  *)
    if (($# < 3)) || [[ ${SHORTLIST_ROOT:-} != /* ]]; then
      echo "usage: SHORTLIST_ROOT=/shared/indexes $0 INDEX INPUT SHARDS [options of plan-build]" >&2
      exit 64
    fi
    submit "$@"
    ;;
esac
