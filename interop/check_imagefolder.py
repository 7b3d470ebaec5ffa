"""Reads an export with torchvision's ImageFolder and holds every sample against the shard set.

    python interop/check_imagefolder.py EXPORT_DIR SHARDS_DIR
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import torchvision
from torchvision.datasets import ImageFolder

from shardset import Export, Pixels, ShardSet, require, same_landmarks, same_number


def main(directory, shards):
    export, shards = Export(directory, "imagefolder"), ShardSet(shards)
    subprocess.run(["sha256sum", "--check", "--quiet", "files.sha256"], cwd=export.dir, check=True)
    pixels, n = Pixels(export, shards), 0
    for part, counts in export.parts.items():
        rows = list(csv.DictReader(open(export.dir / f"{part}.csv", newline="", encoding="utf-8")))
        require(len(rows) == counts["samples"] == shards.count(part), part, "has", len(rows), "rows, want", shards.count(part))
        if not rows:
            continue
        folder = ImageFolder(str(export.dir / part))
        where = {str(Path(path).relative_to(export.dir)): i for i, (path, _) in enumerate(folder.samples)}
        require(len(where) == len(rows), part, "has", len(where), "files, want", len(rows))
        identities = {}  # of each directory
        for row, w in zip(rows, shards.samples(part), strict=True):
            require(row["key"] == w.key and int(row["label"]) == w.label and row["identity"] == w.identity, "row", row, "want", w.key, w.label)
            require(same_number(float(row["age"] or "nan"), w.age) and int(row["gender"] or -1) == w.gender, "row", row, "age, gender", w.age, w.gender)
            marks = [float(row[f"{c}{i}"] or "nan") for i in range(1, 6) for c in "xy"]
            require(same_landmarks(marks, w.landmarks), "row", row, "landmarks", w.landmarks)
            image, target = folder[where.pop(row["image"])]
            require(identities.setdefault(folder.classes[target], w.identity) == w.identity, folder.classes[target], "holds two identities")
            pixels.check(w, np.asarray(image), (export.dir / row["image"]).read_bytes())
            n += 1
        require(len(set(identities.values())) == len(folder.classes), part, "has", len(folder.classes), "directories")
        # Of a part with images of every class, the labels are those of the shards.
        if {int(r["label"]) for r in rows} == set(range(len(shards.classes))) and len(folder.classes) == len(shards.classes):
            require([identities[c] for c in folder.classes] == shards.classes, part, "is sorted otherwise than the classes")
    print(f"torchvision {torchvision.__version__}: {n} samples, {pixels}")


if __name__ == "__main__":
    main(*sys.argv[1:])
