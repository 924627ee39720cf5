#!/usr/bin/env bash
# Installs pleinair {{version}} on this Jetson, into .venv beside this script. Run it again after an update.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    echo "error: $1" >&2
    exit 1
}

release=$(sed -n 's/^# R\([0-9][0-9]*\) .*/\1/p' /etc/nv_tegra_release 2>/dev/null || true)
[[ -n $release ]] || fail "/etc/nv_tegra_release names no Jetson Linux; run this on a Jetson"
if ((release >= 38)); then # JetPack 7: Ubuntu 24.04, CUDA 13
    python=python3.12 cuda=13
elif ((release >= 36)); then # JetPack 6: Ubuntu 22.04, CUDA 12; its own Python 3.10 is too old
    python=python3.11 cuda=12
else
    fail "Jetson Linux R$release is older than JetPack 6; update the Jetson"
fi
command -v "$python" >/dev/null || fail "$python is missing; run: sudo apt install $python $python-venv"

# TensorRT's Python module comes with the system, where it is for this Python.
system=()
if "$python" -c 'import tensorrt' 2>/dev/null; then
    system=(--system-site-packages)
fi
"$python" -m venv "${system[@]}" .venv
# All that is needed is named. pleinair asks for opencv-python, whose windows need a desktop; here it is
# opencv-python-headless.
.venv/bin/python -m pip install --no-deps -r requirements.txt -r "requirements-cuda$cuda.txt" ./{{wheel}}
if ! .venv/bin/python -c 'import tensorrt' 2>/dev/null; then
    echo "$python has no module tensorrt yet; README.md says where it is" >&2
fi
.venv/bin/pleinair doctor
