#!/usr/bin/env bash
# Trains a painter with strokes further, in a few minutes on a machine with one NVIDIA GPU.
#   tools/gpu_train.sh pack DATA OUT.tar              on the workstation; at most 40 MB
#   tools/gpu_train.sh run OUT.tar RESULT [--minutes 9] [--init generator.pt] [--dry-run]
# A checkout of pleinair is needed on both; PYTHON chooses the interpreter. See tools/README.md.
set -euo pipefail

started=$(date +%s)
# shellcheck source=tools/gpu_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/gpu_env.sh"

[[ $# -ge 1 ]] || fail "give a verb: pack DATA OUT.tar, or run OUT.tar RESULT"
verb=$1
shift
case $verb in
pack) exec "$python" -m pleinair.tools.gpu_pack "$@" ;;
run)
    device=gpu
    [[ " $* " == *" --dry-run "* ]] && device=cpu
    prepare "$device"
    exec "$python" -m pleinair.tools.gpu_run --started "$started" "$@"
    ;;
*) fail "unknown verb $verb; known: pack, run" ;;
esac
