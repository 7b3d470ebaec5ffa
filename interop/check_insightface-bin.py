"""Unpickles an export as InsightFace's load_bin does, decodes with OpenCV and holds every image and every
flag against the list of pairs and the shard set.

    python interop/check_insightface-bin.py EXPORT_DIR SHARDS_DIR
    python interop/check_insightface-bin.py --flags SHARDS_DIR     makes a list of pairs
"""

import csv
import os
import pickle
import random
import sys
from pathlib import Path

import cv2
import numpy as np

from shardset import Export, Pixels, ShardSet, require

PAIRS = 700  # more than the 500 whose images go into a list at once


def pairs_file(shards):
    return Path(os.environ["VF2PREP_WORK"]) / f"pairs-{Path(shards).name}.csv"


def parts(shards):
    return shards.index["parts"]


def flags(directory):
    """Writes seeded pairs across all parts, half of them of one identity as far as there are such."""
    shards = ShardSet(directory)
    draw = random.Random(7)
    people = {}
    for part in parts(shards):
        for s in shards.samples(part):
            people.setdefault(s.key.split("/")[0], []).append(s.key)
    names = sorted(n for n in people if len(people[n]) > 1)
    with open(pairs_file(directory), "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["path1", "path2", "same"])
        for i in range(PAIRS):
            if i % 2:
                a, b = draw.sample(names, 2)
                w.writerow([draw.choice(people[a]), draw.choice(people[b]) + ".jpg", 0])
            else:
                w.writerow([*draw.sample(people[draw.choice(names)], 2), 1])
    print("--pairs", pairs_file(directory), "--name", "drawn", sep="\n")


def main(directory, shards):
    export, shards = Export(directory, "insightface-bin"), ShardSet(shards)
    pixels = Pixels(export, shards)
    with open(export.dir / "drawn.bin", "rb") as f:
        bins, same = pickle.load(f, encoding="bytes")
    with open(export.dir / "drawn.bin", "rb") as f:
        require(pickle.load(f) == (bins, same), "pickle needs encoding=bytes")
    with open(pairs_file(shards.dir)) as f:
        rows = list(csv.DictReader(f))
    require(len(rows) == PAIRS == len(same), len(rows), "pairs,", len(same), "flags, want", PAIRS)
    require(len(bins) == 2 * PAIRS, len(bins), "images, want", 2 * PAIRS)
    wanted = {r[c].removesuffix(".jpg") for r in rows for c in ("path1", "path2")}
    samples = {s.key: s for part in parts(shards) for s in shards.samples(part) if s.key in wanted}
    for i, r in enumerate(rows):
        require(same[i] is (r["same"] == "1"), "pair", i, "is", same[i], "want", r["same"])
        for j, column in enumerate(("path1", "path2")):
            image = cv2.imdecode(np.frombuffer(bins[2 * i + j], np.uint8), cv2.IMREAD_COLOR)
            pixels.check(samples[r[column].removesuffix(".jpg")], image[:, :, ::-1], bins[2 * i + j])
    print(f"pickle, OpenCV {cv2.__version__}: {len(same)} pairs, {pixels}")


if __name__ == "__main__":
    flags(sys.argv[2]) if sys.argv[1] == "--flags" else main(*sys.argv[1:])
