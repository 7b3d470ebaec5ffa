"""A shard set as numpy and safetensors read it, without anything of vf2prep: what exports are held
against. docs/shard-format.md describes the files."""

import hashlib
import io
import json
import math
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

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
        self.dir = Path(directory)
        self.index = json.loads((self.dir / "index.json").read_text())
        self.classes = self.index["classes"]
        self.bgr = self.index["channels"] == "bgr"
        self.jpeg = self.index["encoding"] == "jpeg"

    def count(self, part):
        return self.index["parts"][part]["samples"]

    def samples(self, part):
        """Yields the samples of a part in their order."""
        for shard in self.index["parts"][part]["shards"]:
            t = load_file(self.dir / shard["file"])
            offsets, keys = t["key_offsets"], t["key"].tobytes()
            for i in range(len(t["label"])):
                stored = None
                if self.jpeg:
                    stored = t["image"][t["image_offsets"][i]:t["image_offsets"][i + 1]].tobytes()
                    image = decoded(stored)
                else:
                    image = np.moveaxis(t["image"][i], 0, -1)
                    if self.bgr:
                        image = image[..., ::-1]
                key = keys[offsets[i]:offsets[i + 1]].decode()
                label = int(t["label"][i])
                identity = self.classes[label] if label >= 0 else key.split("/")[0]
                yield Sample(key, label, identity, float(t["age"][i]), int(t["gender"][i]), t["landmarks"][i], image, stored)


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
    whose mean difference is bounded."""

    MEAN = 6.0  # levels, of quality 95

    def __init__(self, export, shards):
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
        if self.copied:  # another decoder may round otherwise
            require(difference.max() <= 2, sample.key, "differs by", difference.max(), "levels")
            return
        require(difference.max() == 0, sample.key, "differs by", difference.max(), "levels")

    def __str__(self):
        return f"JPEGs within {self.worst:.1f} levels in the mean" if self.made else "JPEGs byte for byte" if self.copied else "pixels equal"
