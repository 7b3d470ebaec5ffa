#!/usr/bin/env python3
"""The shards, opened by the safetensors package for NumPy and for PyTorch; checksums and digests by other packages.

check_safetensors.py SHARDS SHARDS
"""

import pathlib
import sys

import google_crc32c
import numpy as np
import plain
import torch
import xxhash
from safetensors import safe_open
from safetensors import numpy as st_numpy
from safetensors import torch as st_torch

top = pathlib.Path(sys.argv[1])
index = plain.index(top)
shards = samples = 0
for part, p in index["parts"].items():
    for s in p["shards"]:
        path = top / s["file"]
        data = path.read_bytes()
        assert "xxh3-128:" + xxhash.xxh3_128_hexdigest(data) == s["digest"], path
        want, meta = plain.tensors(path)
        with safe_open(path, "np") as f:
            assert f.metadata() == meta, path
            assert set(f.keys()) == set(want), path
            assert f.get_slice("image").get_shape() == list(want["image"].shape), path
        for name, tensor in st_torch.load_file(path).items():
            assert tensor.dtype == torch.from_numpy(want[name].copy()).dtype, (path, name)
            np.testing.assert_array_equal(tensor.numpy(), want[name], err_msg=f"{path}: {name}, PyTorch")
        got = st_numpy.load_file(path)
        for name in want:
            assert got[name].dtype == want[name].dtype and got[name].shape == want[name].shape, (path, name)
            np.testing.assert_array_equal(got[name], want[name], err_msg=f"{path}: {name}, NumPy")
            if name != "image":
                assert f"{google_crc32c.value(got[name].tobytes()):08x}" == meta["crc32c." + name], (path, name)
        at = got.get("image_offsets")
        for i, sum_ in enumerate(got["crc32c"]):
            image = got["image"][i] if at is None else got["image"][at[i] : at[i + 1]]
            assert google_crc32c.value(image.tobytes()) == sum_, (path, i)
        assert len(got["label"]) == s["samples"] and part == meta["part"]
        shards, samples = shards + 1, samples + s["samples"]
print(f"{samples} samples in {shards} shards: tensors, metadata, checksums and digests agree")
