"""A shard set by the few lines that docs/shard-format.md describes: NumPy alone, and nothing of this project.

What a check compares with. Nothing is verified here.
"""

import json
import pathlib
import struct

import numpy as np

KINDS = {"U8": "u1", "I8": "i1", "I32": "<i4", "I64": "<i8", "F32": "<f4"}


def index(directory):
    return json.loads((pathlib.Path(directory) / "index.json").read_text())


def tensors(path):
    """The tensors of a shard by name, mapped, and its metadata."""
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(n))
    meta = head.pop("__metadata__")
    data = np.memmap(path, "u1", "r")
    out = {}
    for name, t in head.items():
        a, b = t["data_offsets"]
        out[name] = np.asarray(data[8 + n + a : 8 + n + b]).view(KINDS[t["dtype"]]).reshape(t["shape"])
    return out, meta


def samples(directory, part):
    """The samples of a part in order, as dicts: key, label, age, gender, landmarks [5,2] and stored.

    stored is uint8 [C,H,W] in the index's order of channels, or the bytes of a JPEG file.
    """
    for shard in index(directory)["parts"][part]["shards"]:
        t, _ = tensors(pathlib.Path(directory) / shard["file"])
        o, jpeg = t["key_offsets"], t.get("image_offsets")
        for i in range(len(t["label"])):
            yield {
                "key": bytes(t["key"][o[i] : o[i + 1]]).decode(),
                "label": int(t["label"][i]),
                "age": float(t["age"][i]),
                "gender": int(t["gender"][i]),
                "landmarks": t["landmarks"][i],
                "stored": t["image"][i] if jpeg is None else bytes(t["image"][jpeg[i] : jpeg[i + 1]]),
            }
