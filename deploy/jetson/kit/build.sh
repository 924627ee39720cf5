#!/usr/bin/env bash
# Builds the TensorRT engines of bundle/ on the Jetson that is to run them, and takes them into it.
# Run it again after an update of TensorRT: an engine is for one version and one kind of GPU.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    echo "error: $1" >&2
    exit 1
}

trtexec=$(command -v trtexec || echo /usr/src/tensorrt/bin/trtexec)
[[ -x $trtexec ]] || fail "trtexec is missing; run: sudo apt install libnvinfer-bin"
pleinair=.venv/bin/pleinair
[[ -x $pleinair ]] || fail "$pleinair is missing; run install.sh first"

# 10.3 of JetPack 6 says v100300, 11.4 of JetPack 7 says v110400.
version=$("$trtexec" --help 2>&1 | sed -n 's/.*RUNNING .*\[TensorRT v\([0-9]*\).*/\1/p') || true
case $version in
    10*) typed=(--stronglyTyped) ;;
    11*) typed=() ;; # every network is
    *) fail "$trtexec is of TensorRT ${version:-unknown}; this kit is for 10 and 11" ;;
esac

build() { # PRECISION GRAPH [OPTION...]
    echo "building engines/$1.engine, which takes some minutes; engines/$1.log says more" >&2
    "$trtexec" --onnx="$2" "${@:3}" "${typed[@]}" --timingCacheFile=engines/timing.cache \
        --saveEngine="engines/$1.part" >"engines/$1.log" 2>&1 ||
        fail "trtexec cannot build $1: $(grep -m 1 '\[E\]' "engines/$1.log" || tail -n 1 "engines/$1.log")"
    mv "engines/$1.part" "engines/$1.engine"
    built+=("engines/$1.engine")
}

mkdir -p engines
built=()
{{builds}}
"$pleinair" deploy engines bundle "${built[@]}"
