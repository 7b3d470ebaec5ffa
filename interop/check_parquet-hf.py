"""Reads an export with Hugging Face's datasets and with pyarrow and holds every sample against the
shard set.

    python interop/check_parquet-hf.py EXPORT_DIR SHARDS_DIR
"""

import os
import sys
import tempfile

CACHE = tempfile.TemporaryDirectory(dir=os.environ.get("VF2PREP_WORK"))
os.environ["HF_HOME"] = CACHE.name
os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet as pq

from shardset import Export, Pixels, ShardSet, require, same_landmarks, same_number

FEATURES = ["image", "label", "key", "identity", "age", "gender", "landmarks"]


def same(row, w, what):
    require(row["key"] == w.key, what, "key", row["key"], "want", w.key)
    require(row["label"] == w.label, what, w.key, "label", row["label"], "want", w.label)
    require(row["identity"] == w.identity, what, w.key, "identity", row["identity"])
    require(same_number(row["age"], w.age), what, w.key, "age", row["age"], "want", w.age)
    require((-1 if row["gender"] is None else row["gender"]) == w.gender, what, w.key, "gender", row["gender"])
    require(same_landmarks(row["landmarks"], w.landmarks), what, w.key, "landmarks", row["landmarks"])


def main(directory, shards):
    export, shards = Export(directory, "parquet-hf"), ShardSet(shards)
    pixels, n = Pixels(export, shards), 0
    ds = datasets.load_dataset(directory)
    streamed = datasets.load_dataset(directory, streaming=True)
    want = [part for part, counts in export.parts.items() if counts["samples"]]
    require(list(ds) == want == list(streamed), "splits", list(ds), "want", want)
    for part in want:
        counts, split = export.parts[part], ds[part]
        f = split.features
        require(list(f) == FEATURES, part, "features", list(f))
        require(isinstance(f["image"], datasets.Image) and isinstance(f["label"], datasets.ClassLabel), part, "features", f)
        require(f["label"].names == shards.classes and f["gender"].names == ["male", "female"], part, "names of classes differ")
        require(f == streamed[part].features, part, "streamed features", streamed[part].features)
        require(split.info.splits[part].num_examples == len(split) == counts["samples"] == shards.count(part), part, "has", len(split), "samples")
        raw = split.cast_column("image", datasets.Image(decode=False))
        for row, stored, stream, w in zip(split, raw, streamed[part], shards.samples(part), strict=True):
            same(row, w, "datasets:")
            same(stream, w, "streaming:")
            encoded = stored["image"]["bytes"]
            pixels.check(w, np.asarray(row["image"].convert("RGB")), encoded)
            require(stored["image"]["path"].endswith("." + export.image), w.key, "path", stored["image"]["path"])
        files = [export.dir / f["name"] for f in export.index["files"] if f.get("part") == part]
        seen, rows = 0, shards.samples(part)
        for file in files:
            p = pq.ParquetFile(file, page_checksum_verification=True)
            require(datasets.Features.from_arrow_schema(p.schema_arrow) == f, file.name, "footer has features", p.schema_arrow)
            for batch in p.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    w = next(rows)
                    same(row, w, "pyarrow:")
                    pixels.check(w, np.asarray(f["image"].decode_example(row["image"]).convert("RGB")), row["image"]["bytes"])
                    seen += 1
        require(seen == counts["samples"], part, "has", seen, "rows, want", counts["samples"])
        # One file alone, without the card, and a batch as a training takes it.
        alone = datasets.load_dataset("parquet", data_files=str(files[0]), split="train")
        require(alone.features == f, "a file alone has features", alone.features)
        batch = ds[part].with_format("numpy")[:2]
        require(batch["image"][0].shape == next(shards.samples(part)).image.shape, "a batch of NumPy has shape", batch["image"][0].shape)
        n += seen
    print(f"datasets {datasets.__version__}, pyarrow {pyarrow.__version__}: {n} samples, {pixels}")


if __name__ == "__main__":
    main(*sys.argv[1:])
