"""Reads an export with WebDataset and holds every sample against the shard set.

    python interop/check_webdataset.py EXPORT_DIR SHARDS_DIR
"""

import json
import sys

import webdataset as wds

from shardset import Export, Pixels, ShardSet, decoded, require, same_landmarks, same_number


def main(directory, shards):
    export, shards = Export(directory, "webdataset"), ShardSet(shards)
    pixels, n = Pixels(export, shards), 0
    for part, counts in export.parts.items():
        urls = [str(export.dir / f["name"]) for f in export.index["files"] if f.get("part") == part]
        want = shards.samples(part)
        got = wds.WebDataset(urls, shardshuffle=False, empty_check=False) if urls else []
        seen = 0
        for sample in got:
            w = next(want)
            meta = json.loads(sample["json"])
            require(meta["key"] == w.key, "key", meta["key"], "want", w.key)
            require(int(sample["cls"]) == w.label == meta["label"], w.key, "label", sample["cls"], "want", w.label)
            require(meta["identity"] == w.identity and meta["part"] == part, w.key, "identity", meta["identity"], "part", meta["part"])
            require(same_number(meta["age"], w.age), w.key, "age", meta["age"], "want", w.age)
            require((-1 if meta["gender"] is None else meta["gender"]) == w.gender, w.key, "gender", meta["gender"])
            require(same_landmarks(meta["landmarks"], w.landmarks), w.key, "landmarks", meta["landmarks"], w.landmarks)
            encoded = sample[export.image]
            pixels.check(w, decoded(encoded), encoded)
            seen += 1
        require(seen == counts["samples"] == shards.count(part), part, "has", seen, "samples, want", shards.count(part))
        n += seen
    # As a training would read it: decoded, grouped and batched by the library.
    urls = [str(export.dir / f["name"]) for f in export.index["files"] if f.get("part")]
    ds = wds.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple(export.image, "cls").batched(32)
    batched = sum(len(labels) for _, labels in ds)
    require(batched == n, "batches hold", batched, "samples, want", n)
    print(f"webdataset {wds.__version__}: {n} samples in {len(urls)} archives, {pixels}")


if __name__ == "__main__":
    main(*sys.argv[1:])
