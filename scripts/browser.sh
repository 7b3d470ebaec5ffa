#!/usr/bin/env bash
# Makes a report of two trainings on a drawn data set and opens it in a headless Chromium, as a phone
# and as a desktop: scripts/browser.sh BINARY. VF2PREP_SCREENSHOTS names a directory for the pictures.
set -euo pipefail
bin=$(realpath "${1:?usage: browser.sh BINARY}")
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$bin" synth --out "$out/set" --identities 8 --test-identities 3 --images 10 --seed 1 --quiet
"$bin" manifest build --root "$out/set" --out "$out/manifest.parquet" --quiet >"$out/log"
"$bin" split make --manifest "$out/manifest.parquet" --val 3 --out "$out/split" --quiet >>"$out/log"
"$bin" cache build --manifest "$out/manifest.parquet" --split "$out/split" --root "$out/set" --recipe seed-190x170 --size 32x28 --out "$out/shards" --quiet >>"$out/log"
for head in age age-rank; do
	"$bin" train --shards "$out/shards" --arch seed-resnet-relu --heads "identity,gender,$head" --batch 8 --epochs 3 --out "$out/runs/$head" --quiet >>"$out/log"
	for eval in identify verify attributes; do
		"$bin" eval "$eval" --run "$out/runs/$head" --shards "$out/shards" --quiet >>"$out/log"
	done
done
"$bin" report --compare --shards "$out/shards" --out "$out/report.html" "$out"/runs/*
VF2PREP_REPORT=$out/report.html go test -C tools/browsertest -count=1 -v ./...
