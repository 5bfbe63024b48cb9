#!/bin/sh
# Builds the banks that ship with posebench again: clusters/build.sh [FOLDER], by default into the folder of this script.
# Needs posebench, and the CMU clips in $POSEBENCH_DATA/cmu-mocap/bvh. README.md says why the settings are as they are.
#
# Those of Open4V are built instead where OPEN4V names a folder that was rendered by
#     posebench data render open4v --size small --out FOLDER
set -eu

out="${1:-$(dirname "$0")}"

if [ -n "${OPEN4V:-}" ]; then
    mkdir -p "$out"
    out="$(cd "$out" && pwd)"
    # The cards name the file as the folder does, wherever that lies.
    unset POSEBENCH_DATA
    cd "$OPEN4V"
    posebench bank build \
        --gt labels/train.npz --min-distance 0.05 -k 50 -k 100 --name open4v -o "$out" \
        --split "train of Open4V, size small: cmu01, 03, 05, 06, 07, hdm05bd, bk, dg; test and wild have other people" \
        --source "CMU Graphics Lab Motion Capture Database (motions of the subjects cmu...)|Free to use, also \
commercially; not to be resold directly, even in converted form.|The data used in this project was obtained from \
mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217." \
        --source "Motion Capture Database HDM05 (motions of the subjects hdm05...)|CC BY-SA 3.0; what derives from it, \
as this bank does, is passed on under the same licence|M. Müller, T. Röder, M. Clausen, B. Eberhardt, B. Krüger, \
A. Weber: Documentation Mocap Database HDM05. Technical report CG-2007-2, Universität Bonn, June 2007."
    exit
fi

cmu="${POSEBENCH_DATA:?set it to the folder that holds cmu-mocap}/cmu-mocap/bvh"

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
