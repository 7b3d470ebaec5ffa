"""What the checks of exports share: a shard set's samples as plain.py reads them, with pixels as
images, and the rules of comparing."""

import hashlib
import io
import json
import math
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np

import plain

# image: uint8 [H, W, C], R, G, B; stored: a JPEG's bytes, None of raw sets; landmarks: float32 [5, 2]
Sample = namedtuple("Sample", "key label identity age gender landmarks image stored")


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def require(ok, *what):
    if not ok:
        fail("FAILED: " + " ".join(map(str, what)))


class ShardSet:
    def __init__(self, directory):
        self.dir = directory
        self.index = plain.index(directory)
        self.classes = self.index["classes"]
        self.jpeg = self.index["encoding"] == "jpeg"

    def count(self, part):
        return self.index["parts"][part]["samples"]

    def samples(self, part):
        """Yields the samples of a part in their order."""
        for s in plain.samples(self.dir, part):
            key, label, stored = s["key"], s["label"], s["stored"]
            if self.jpeg:
                image = decoded(stored)
            else:
                image = np.moveaxis(stored[::-1] if self.index["channels"] == "bgr" else stored, 0, -1)
            identity = self.classes[label] if label >= 0 else key.split("/")[0]
            yield Sample(key, label, identity, s["age"], s["gender"], s["landmarks"], image, stored if self.jpeg else None)


def decoded(b):
    """The pixels of a PNG or JPEG, uint8 [H, W, 3], by Pillow."""
    from PIL import Image
    return np.asarray(Image.open(io.BytesIO(b)).convert("RGB"))


class Export:
    """An export directory: what export.json says, and that its files are what it says."""

    def __init__(self, directory, to):
        self.dir = Path(directory)
        self.index = x = json.loads((self.dir / "export.json").read_text())
        require(x["complete"] and x["to"] == to, f"export.json: complete {x['complete']}, to {x['to']}, want {to}")
        self.image = x.get("image")
        for f in x["files"]:
            b = (self.dir / f["name"]).read_bytes()
            require(len(b) == f["bytes"] and hashlib.sha256(b).hexdigest() == f["sha256"], f["name"], "is not what export.json says")

    @property
    def parts(self):
        return {p["part"]: p for p in self.index["parts"]}


def same_number(a, b):
    """Whether two numbers agree, unknown ones (None, NaN) included."""
    a, b = (math.nan if v is None else v for v in (a, b))
    return a == b or (math.isnan(a) and math.isnan(b))


def same_landmarks(got, want):
    if got is None:
        return bool(np.isnan(want).any())
    return np.array_equal(np.asarray(got, np.float32).reshape(5, 2), want, equal_nan=True)


class Pixels:
    """Compares images with a set's samples: equal, but for JPEGs that the export made of raw pixels,
    whose mean difference is bounded, and for those of the set that another decoder than Pillow's
    read, which may be so many levels off."""

    MEAN = 6.0  # levels, of quality 95

    def __init__(self, export, shards, levels=2):
        self.levels = levels
        self.made = export.image == "jpg" and not shards.jpeg
        self.copied = export.image == "jpg" and shards.jpeg
        self.worst = 0.0

    def check(self, sample, pixels, encoded=None):
        require(pixels.shape == sample.image.shape, sample.key, "has shape", pixels.shape, "want", sample.image.shape)
        difference = np.abs(pixels.astype(np.int16) - sample.image)
        if self.made:
            self.worst = max(self.worst, float(difference.mean()))
            require(difference.mean() <= self.MEAN, sample.key, "differs by", difference.mean(), "levels in the mean")
            return
        if self.copied and encoded is not None:
            require(encoded == sample.stored, sample.key, "is not the shard's JPEG")
        if self.copied:
            require(difference.max() <= self.levels, sample.key, "differs by", difference.max(), "levels")
            return
        require(difference.max() == 0, sample.key, "differs by", difference.max(), "levels")

    def __str__(self):
        return f"JPEGs within {self.worst:.1f} levels in the mean" if self.made else "JPEGs byte for byte" if self.copied else "pixels equal"
