# shellcheck shell=bash
# What scripts for GPU machines share: a Python, what it lacks, and an environment beside the checkout.
# Sourced; sets root and python, and PYTHONPATH so that the package is found.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
venv=$root/.venv-gpu

fail() {
    echo "error: $*" >&2
    exit 1
}

# What python lacks, as pip calls it; see gpu_missing.py for the words.
missing() {
    "$python" "$root/tools/gpu_missing.py" "$@" || fail "$python cannot say what it lacks"
}

# Goes on with an environment beside the checkout, and what lacks there from the registry.
# The first argument is what lacks now, the others are those of missing.
install() {
    local lacks=$1 names again=()
    shift
    echo "goes on in $venv, for $python lacks $lacks"
    [[ -x $venv/bin/python ]] || "$python" -m venv --system-site-packages "$venv" ||
        fail "$python cannot make an environment; install its venv module"
    python=$venv/bin/python
    names=$(missing "$@")
    [[ -n $names ]] || return 0
    echo "installs $names"
    [[ " $names " == *" torch "* ]] && again=(--ignore-installed)
    # shellcheck disable=SC2086 # several words
    "$python" -m pip install --quiet --disable-pip-version-check "${again[@]}" $names >&2 ||
        fail "pip cannot install $names; connect to a package registry, or install them"
}

# Installs what lacks, if anything does.
prepare() {
    local lacks
    lacks=$(missing "$@")
    [[ -z $lacks ]] || install "$lacks" "$@"
}

command -v "$python" >/dev/null || fail "$python is missing; set PYTHON to Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $("$python" --version); set PYTHON to Python 3.11 or newer"
# The checkout's folder may have any name; the package is called pleinair.
mkdir -p "$root/.lint"
ln -sfn .. "$root/.lint/pleinair"
export PYTHONPATH=$root/.lint
