#!/usr/bin/env bash
# The main job on real faces: manifest, split, cache, train, evaluate; then the same shards from
# one worker. scripts/pipeline.sh BINARY [OUT]
set -euo pipefail
bin=$(realpath "${1:?usage: pipeline.sh BINARY [OUT]}")
data=$(realpath "${VF2PREP_DATA:-../shared/data}")/vf2real
out=${2:-$(mktemp -d)}
[ -d "$data/train" ] || { echo "pipeline: no data in $data: set VF2PREP_DATA" >&2; exit 1; }
mkdir -p "$out"
cd "$out"

# want NAME VALUE FILE: the JSON object in FILE holds "NAME": VALUE.
want() {
	grep -q "\"$1\": $2\(,\|\$\)" "$3" || { echo "pipeline: $3 lacks \"$1\": $2" >&2; cat "$3" >&2; exit 1; }
}

"$bin" manifest build --root "$data" --out manifest.parquet --json >manifest.json
want images 2930 manifest.json
want train_images 2566 manifest.json
want test_images 364 manifest.json
want train_identities 78 manifest.json
want test_identities 17 manifest.json
"$bin" manifest verify --manifest manifest.parquet --root "$data" >verify.txt

"$bin" split make --manifest manifest.parquet --strategy first-n --val 20 --min-train 0 --out letter --json >letter.json
want train_images 1151 letter.json
want val_images 1415 letter.json
"$bin" split make --manifest manifest.parquet --strategy first-n --val 20 --out split --json >split.json
want train_images 1151 split.json
want val_images 1000 split.json
want train_identities 50 split.json
"$bin" split check --split split --manifest manifest.parquet

# The same photos as an archive, in an order of its own.
tar -C "$data" -czf photos.tar.gz test train

for recipe in arcface-112 vggface2-256 seed-190x170; do
	build=(cache build --manifest manifest.parquet --split split --root "$data" --recipe "$recipe" --shard-size 8)
	"$bin" "${build[@]}" --workers 8 --out "$recipe" --json >"$recipe.json"
	want rejected 0 "$recipe.json"
	grep '"images_per_second"' "$recipe.json"
	# Killed half way and run again, by slower kernels and with little memory at first so that there
	# is a half way; by one worker; by every kind of kernel; from the archive: the same bytes.
	VF2PREP_CPU=portable "$bin" "${build[@]}" --workers 1 --memory 16MiB --out "$recipe-killed" --quiet &
	for _ in $(seq 600); do # until three shards are there
		[ "$(find "$recipe-killed" -name 'train-*' 2>/dev/null | wc -l)" -ge 3 ] && break
		sleep 0.02
	done
	kill -KILL $! && wait $! 2>/dev/null || true
	[ ! -e "$recipe-killed/index.json" ] || { echo "pipeline: $recipe was built before it could be killed" >&2; exit 1; }
	"$bin" "${build[@]}" --workers 2 --out "$recipe-killed" --quiet
	"$bin" "${build[@]}" --workers 1 --out "$recipe-one" --quiet >/dev/null
	for cpu in portable avx2; do
		VF2PREP_CPU=$cpu "$bin" "${build[@]}" --out "$recipe-$cpu" --quiet >/dev/null
	done
	"$bin" cache build --manifest manifest.parquet --split split --tar photos.tar.gz --recipe "$recipe" \
		--shard-size 8 --memory 64MiB --out "$recipe-tar" --quiet >/dev/null
	for other in killed one portable avx2 tar; do
		diff -r "$recipe" "$recipe-$other"
		rm -rf "$recipe-$other"
	done
	"$bin" cache verify --shards "$recipe"
done
build=(cache build --manifest manifest.parquet --split split --recipe arcface-112 --encoding jpeg --shard-size 1)
"$bin" "${build[@]}" --root "$data" --out small --json >small.json
want rejected 0 small.json
VF2PREP_CPU=portable "$bin" "${build[@]}" --tar photos.tar.gz --workers 8 --out small-tar --quiet >/dev/null
diff -r small small-tar
"$bin" cache verify --shards small

epochs=${EPOCHS:-3}
"$bin" train --shards arcface-112 --arch seed-resnet-relu --optimizer adadelta --batch 4 --epochs "$epochs" --seed 1 --out runs/first --json >train.json
"$bin" eval identify --run runs/first --shards arcface-112 --json >identify.json
"$bin" eval verify --run runs/first --shards arcface-112 --json >verify.json
grep -h '"top1"\|"top5"\|"eer"\|"auc"\|"images_per_second"' train.json identify.json verify.json
top1=$(sed -n 's/^ *"top1": \([0-9.]*\),*$/\1/p' identify.json | head -n 1)
awk -v t="$top1" 'BEGIN { if (!(t > 0.10)) { print "pipeline: top-1 " t " on 50 identities, want above 0.10 (chance is 0.02)"; exit 1 } }'
echo "pipeline: done in $out"
