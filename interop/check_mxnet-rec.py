"""Reads an export with MXNet, as InsightFace's trainings walk it, and a plain one of the same set with MXNet's
ImageIter, and holds every sample against the shard set.

    python interop/check_mxnet-rec.py EXPORT_DIR SHARDS_DIR
    python interop/check_mxnet-rec.py --flags SHARDS_DIR     the parts that have labels
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import recordio

from shardset import Export, Pixels, ShardSet, decoded, require


def flags(directory):
    shards = ShardSet(directory)
    print("--parts", ",".join(p for p in shards.index["parts"] if all(s.label >= 0 for s in shards.samples(p))), sep="\n")


def listed(path, aligned=False):
    """Labels and keys of a .lst file by number: im2rec's, or InsightFace's, which has no numbers."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    if aligned:
        return {i: (int(label), key) for i, (one, key, label) in enumerate(rows, 1) if one == "1"}
    return {int(n): (int(label), key) for n, label, key in rows}


def identities(directory, export, shards, pixels):
    """Walks records as InsightFace does: record 0, then images or identities by its ranges."""
    n = 0
    for part, counts in export.parts.items():
        path = directory / part
        classes, height, width = map(int, (path / "property").read_text().split(","))
        require(classes == len(shards.classes) and [3, height, width] == shards.index["shape"], part, "property", classes, height, width)
        rec = recordio.MXIndexedRecordIO(str(path / "train.idx"), str(path / "train.rec"), "r")
        keys = listed(path / "train.lst", aligned=True)
        header, _ = recordio.unpack(rec.read_idx(0))
        require(header.flag == 2, part, "record 0 has flag", header.flag)
        first, end = map(int, header.label)
        require(first == counts["samples"] + 1 == shards.count(part) + 1, part, "identities begin at", first)
        want = {s.key: s for s in shards.samples(part)}
        ranges = {}
        for identity in range(first, end):
            header, rest = recordio.unpack(rec.read_idx(identity))
            require(header.flag == 2 and rest == b"", part, "identity", identity, header)
            ranges[identity] = tuple(map(int, header.label))
        require(sorted(i for a, b in ranges.values() for i in range(a, b)) == list(range(1, first)), part, "ranges", ranges)
        require(sorted(rec.keys) == list(range(end)), part, "has", len(rec.keys), "records, want", end)
        of = set()
        for a, b in ranges.values():
            labels = set()
            for i in range(a, b):
                header, image = recordio.unpack(rec.read_idx(i))
                label, key = keys[i]
                w = want.pop(key)
                require(header.flag == 2 and header.id == i and label == w.label == int(header.label[0]), key, "has header", header)
                pixels.check(w, mx.image.imdecode(image).asnumpy(), image)
                labels.add(label)
            require(len(labels) == 1 and not labels & of, part, "images", a, "to", b, "have labels", labels)
            of |= labels
            n += b - a
        require(not want, part, "lacks", list(want)[:5])
    return n


def plain(export, shards, pixels):
    """The same set with --plain --image png, read by MXNet in one go; parts without labels too."""
    out = Path(os.environ["VF2PREP_WORK"]) / "exports" / f"mxnet-plain-{Path(shards.dir).name}"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([os.environ["VF2PREP"], "export", "--to", "mxnet-rec", "--plain", "--shards", shards.dir, "--out", out, "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    n = 0
    for part in shards.index["parts"]:
        rec = recordio.MXIndexedRecordIO(str(out / f"{part}.idx"), str(out / f"{part}.rec"), "r")
        keys = listed(out / f"{part}.lst")
        require(sorted(rec.keys) == sorted(keys) == list(range(shards.count(part))), part, "has", len(rec.keys), "records")
        for i, w in enumerate(shards.samples(part)):
            header, image = recordio.unpack(rec.read_idx(i))
            require(header.flag == 0 and header.label == w.label and header.id == i and keys[i] == (w.label, w.key), w.key, header, keys[i])
            pixels.check(w, decoded(image), image)
            n += 1
    part, size = "train", shards.index["shape"]
    it = mx.image.ImageIter(batch_size=8, data_shape=tuple(size), path_imgrec=str(out / f"{part}.rec"), path_imgidx=str(out / f"{part}.idx"),
                            last_batch_handle="pad")
    seen, samples = 0, shards.samples(part)
    for batch in it:
        for x, label in zip(batch.data[0].asnumpy()[: 8 - batch.pad], batch.label[0].asnumpy()):
            w = next(samples)
            require(label == w.label, "ImageIter:", w.key, "label", label)
            pixels.check(w, np.moveaxis(x, 0, -1).astype(np.uint8))
            seen += 1
    require(seen == shards.count(part), "ImageIter has", seen, "samples of", part)
    shutil.rmtree(out)
    return n


def main(directory, shards):
    export, shards = Export(directory, "mxnet-rec"), ShardSet(shards)
    # OpenCV's decoder in MXNet has the fast DCT.
    pixels = Pixels(export, shards, levels=24)
    n, m = identities(Path(directory), export, shards, pixels), plain(export, shards, pixels)
    print(f"mxnet {mx.__version__}: {n} samples by identities, {m} plain, {pixels}")


if __name__ == "__main__":
    flags(sys.argv[2]) if sys.argv[1] == "--flags" else main(*sys.argv[1:])
