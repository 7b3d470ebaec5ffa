#!/usr/bin/env python3
"""The reader in python/, against NumPy and, for JPEGs, Pillow; and two ranks of it under PyTorch's DataLoader.

check_vf2shards.py SHARDS SHARDS
"""

import io
import pathlib
import sys

import numpy as np
import plain
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python" / "src"))
from vf2shards import Dataset, Loader, ShardSampler, crc  # noqa: E402

top = sys.argv[1]
index = plain.index(top)
bgr = index["channels"] == "bgr"
count = 0
for part in index["parts"]:
    ds = Dataset(top, part, as_dict=True)
    want = list(plain.samples(top, part))
    assert len(ds) == len(want), part
    for got, w in zip(ds, want):
        pixels = w["stored"]
        if isinstance(pixels, bytes):
            pixels = np.asarray(Image.open(io.BytesIO(pixels)).convert("RGB"))[:, :, :: -1 if bgr else 1].transpose(2, 0, 1)
        np.testing.assert_array_equal(got["image"], pixels, err_msg=w["key"])
        np.testing.assert_array_equal(got["landmarks"], w["landmarks"], err_msg=w["key"])
        np.testing.assert_array_equal(got["age"], np.float32(w["age"]), err_msg=w["key"])
        assert (got["key"], got["label"], got["gender"]) == (w["key"], w["label"], w["gender"]), w["key"]
        count += 1
ds = Dataset(top, "train", as_dict=True)
seen = []
for rank in range(2):
    sampler = ShardSampler(ds, 16, rank=rank, world_size=2, ends="keep")
    seen += [k for batch in Loader(ds, sampler, workers=1, framework="torch") for k in batch["key"]]
assert sorted(seen) == sorted(ds.key(i) for i in range(len(ds))), "two ranks together miss samples or repeat them"
print(f"{count} samples agree, checksums by {crc.implementation}; two ranks share {len(ds)}")
