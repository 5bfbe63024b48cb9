#!/bin/sh
# Builds the banks that ship with posebench again: clusters/build.sh [FOLDER], by default into the folder of this script.
# Needs posebench, and the CMU clips in $POSEBENCH_DATA/cmu-mocap/bvh. README.md says why the settings are as they are.
set -eu

cmu="${POSEBENCH_DATA:?set it to the folder that holds cmu-mocap}/cmu-mocap/bvh"
out="${1:-$(dirname "$0")}"

build() {
    posebench bank build \
        --gt "$cmu/01" --gt "$cmu/03" --gt "$cmu/05" --gt "$cmu/06" --gt "$cmu/07" \
        --split "training subjects 01, 03, 05, 06, 07; 02, 08 and 09 are for testing" \
        --cameras h36m-like --stride 12 --min-distance 0.05 \
        -k 50 -k 100 -o "$out" "$@"
}

build --name cmu-h36m17 --seeds 5
build --name cmu-mpii16 --joints mpii16
build --name cmu-h36m17-canonical --canonical
