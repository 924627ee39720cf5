#!/usr/bin/env bash
# Measures every shipped model on a machine with one NVIDIA GPU, in at most eight minutes.
#   tools/gpu_check.sh OUT [--minutes 8] [--model NAME ...] [--dry-run]
# Writes into OUT and, for what Python lacks, into .venv-gpu. See tools/README.md.
set -euo pipefail

started=$(date +%s)
# shellcheck source=tools/gpu_env.sh
source "$(dirname "${BASH_SOURCE[0]}")/gpu_env.sh"

[[ $# -ge 1 ]] || fail "give a new folder for what is found"
device=gpu
[[ " $* " == *" --dry-run "* ]] && device=cpu
prepare "$device" check
exec "$python" -m pleinair.tools.gpu_check --started "$started" "$@"
