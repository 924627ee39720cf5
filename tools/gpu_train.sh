#!/usr/bin/env bash
# Trains a painter with strokes further, in a few minutes on a machine with one NVIDIA GPU.
#   tools/gpu_train.sh pack DATA OUT.tar              on the workstation; at most 40 MB
#   tools/gpu_train.sh run OUT.tar RESULT [--minutes 9] [--init generator.pt] [--dry-run]
# A checkout of pleinair is needed on both; PYTHON chooses the interpreter. See tools/README.md.
set -euo pipefail

started=$(date +%s)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
venv=$root/.venv-gpu

fail() {
    echo "error: $*" >&2
    exit 1
}

# What python lacks, as pip calls it. With "gpu" also a torch that was built without CUDA.
missing() {
    "$python" "$root/tools/gpu_missing.py" "$1" || fail "$python cannot say what it lacks"
}

# Goes on with an environment beside the checkout, and what lacks there from the registry.
install() {
    local names again=()
    echo "goes on in $venv, for $python lacks $2"
    [[ -x $venv/bin/python ]] || "$python" -m venv --system-site-packages "$venv" ||
        fail "$python cannot make an environment; install its venv module"
    python=$venv/bin/python
    names=$(missing "$1")
    [[ -n $names ]] || return 0
    echo "installs $names"
    [[ " $names " == *" torch "* ]] && again=(--ignore-installed)
    # shellcheck disable=SC2086 # several words
    "$python" -m pip install --quiet --disable-pip-version-check "${again[@]}" $names >&2 ||
        fail "pip cannot install $names; connect to a package registry, or install them"
}

[[ $# -ge 1 ]] || fail "give a verb: pack DATA OUT.tar, or run OUT.tar RESULT"
command -v "$python" >/dev/null || fail "$python is missing; set PYTHON to Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $("$python" --version); set PYTHON to Python 3.11 or newer"
verb=$1
shift
# The checkout's folder may have any name; the package is called pleinair.
mkdir -p "$root/.lint"
ln -sfn .. "$root/.lint/pleinair"
export PYTHONPATH=$root/.lint
case $verb in
pack) exec "$python" -m pleinair.tools.gpu_pack "$@" ;;
run)
    device=gpu
    [[ " $* " == *" --dry-run "* ]] && device=cpu
    lacks=$(missing "$device")
    [[ -z $lacks ]] || install "$device" "$lacks"
    exec "$python" -m pleinair.tools.gpu_run --started "$started" "$@"
    ;;
*) fail "unknown verb $verb; known: pack, run" ;;
esac
