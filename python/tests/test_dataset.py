import json
import os
import pathlib
import pickle
import shutil
import struct
import sys

import numpy as np
import pytest

from vf2shards import CorruptError, Dataset, Draw, ShardError, ShardInfo, VersionError, crc
from vf2shards.shard import Shard


def plain(path):
    """A shard's tensors by the few lines that docs/shard-format.md describes, unchecked."""
    data = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + n])
    head.pop("__metadata__")
    kinds = {"U8": "u1", "I8": "i1", "I32": "<i4", "I64": "<i8", "F32": "<f4"}
    out = {}
    for name, t in head.items():
        a, b = t["data_offsets"]
        out[name] = np.frombuffer(data[8 + n + a : 8 + n + b], kinds[t["dtype"]]).reshape(t["shape"])
    return out


def test_every_sample(sets):
    for part, want in (("train", 108), ("val", 36), ("test", 48)):
        ds = Dataset(sets / "raw", part, as_dict=True)
        assert len(ds) == want == sum(ds.shard_sizes)
        i = 0
        for file in sorted((sets / "raw").glob(f"{part}-*")):
            t = plain(file)
            for j in range(len(t["label"])):
                s = ds[i]
                assert s["image"].dtype == np.uint8 and s["image"].shape == (3, 112, 96)
                np.testing.assert_array_equal(s["image"], t["image"][j])
                np.testing.assert_array_equal(s["landmarks"], t["landmarks"][j])
                np.testing.assert_array_equal(s["age"], t["age"][j])
                assert (s["label"], s["gender"]) == (t["label"][j], t["gender"][j])
                o = t["key_offsets"]
                assert s["key"] == ds.key(i) == bytes(t["key"][o[j] : o[j + 1]]).decode()
                if part != "test":
                    assert ds.classes[s["label"]] == s["key"].split("/")[0]
                i += 1
        assert i == want
        with pytest.raises(IndexError):
            ds[want]
        assert [s["label"] for s in ds] == ds.column("label").tolist()
        assert ds.column("landmarks").shape == (want, 5, 2) and ds.column("age").dtype == np.float32


def test_pairs_are_the_callers_own(sets):
    ds = Dataset(sets / "raw")
    image, label = ds[5]
    before = image.copy()
    image[:] = 0
    assert type(image) is np.ndarray and type(label) is int
    np.testing.assert_array_equal(ds[5][0], before)


@pytest.mark.parametrize("raw,jpeg", [("raw", "jpeg"), ("bgr", "bgr-jpeg")])
def test_jpeg(sets, raw, jpeg):
    pytest.importorskip("PIL")
    a, b = Dataset(sets / raw, as_dict=True), Dataset(sets / jpeg, as_dict=True)
    at = {a.key(i): i for i in range(len(a))}
    assert len(a) == len(b) == len(at)
    differ, reverse = [], []
    for i in range(len(b)):
        s, t = a[at[b.key(i)]], b[i]
        assert t["image"].shape == (3, 112, 96) and t["image"].flags["C_CONTIGUOUS"]
        assert s["label"] == t["label"]
        want = s["image"].astype(int)
        differ.append(np.abs(want - t["image"]).mean())
        reverse.append(np.abs(want - t["image"][::-1]).mean())
    assert max(differ) < 4  # levels; quality 95 at half the chroma's resolution
    assert np.mean(reverse) > 3 * np.mean(differ)  # so the channels are in order


def test_jpeg_wants_pillow(sets, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="vf2shards\\[jpeg\\]"):
        Dataset(sets / "jpeg")[0]


def test_damage_is_named(sets, tmp_path, monkeypatch):
    copy = tmp_path / "raw"
    shutil.copytree(sets / "raw", copy)
    file = copy / "train-00001-of-00004.safetensors"
    good = file.read_bytes()

    def flip(at):
        bad = bytearray(good)
        bad[at] ^= 1
        file.write_bytes(bad)

    for name in ("fast", "numpy"):
        if name == "numpy":
            monkeypatch.setattr("vf2shards.shard.crc32c", crc.numpy_crc32c)
        flip(-1)  # the last byte of the shard's last sample
        ds = Dataset(copy)
        ds[0], ds[27], ds[52]
        with pytest.raises(CorruptError, match=r"train-00001-of-00004.safetensors: sample 26: CRC .*, want "):
            ds[53]
        with pytest.raises(CorruptError):  # and again
            ds[53]
        Dataset(copy, verify=False)[53]

    # A flipped bit anywhere in header and small tensors is found when the shard is opened.
    n = struct.unpack("<Q", good[:8])[0]
    pixels = len(good) - 27 * 3 * 112 * 96
    for at in [*range(0, 8 + n, 37), *range(8 + n, pixels, 11)]:
        flip(at)
        with pytest.raises(ShardError, match="train-00001"):
            Dataset(copy)[27]
    for size in (0, 7, 8, 100, 8 + n, len(good) - 1):
        file.write_bytes(good[:size])
        with pytest.raises(CorruptError, match="train-00001"):
            Dataset(copy)[27]
    file.unlink()
    with pytest.raises(ShardError, match="is missing"):
        Dataset(copy)[27]


def resign(text):
    """index.json's text with the checksum that it should have."""
    at = text.index('"crc32c": "') + 11
    text = text[:at] + "00000000" + text[at + 8 :]
    return text[:at] + "%08x" % crc.numpy_crc32c(text.encode()) + text[at + 8 :]


@pytest.mark.parametrize(
    "old,new,kind",
    [
        ('"format": "vf2prep.shards/2"', '"format": "vf2prep.shards/3"', VersionError),
        ('"encoding": "raw"', '"encoding": "avif"', VersionError),
        ('"channels": "rgb"', '"channels": "hsv"', CorruptError),
        ('"file": "train-00000-of-00004', '"file": "../train-00000-of-00004', CorruptError),
        ('"file": "train-00000-of-00004', '"file": "train-00001-of-00004', CorruptError),
        ('"samples": 27', '"samples": -27', CorruptError),
        ('"samples": 27', '"samples": 28', CorruptError),
        ('"samples": 27', '"samples": 27.0', CorruptError),
        ('"samples": 27', '"samples": NaN', CorruptError),
        ('"samples": 27', '"samples": 27, "samples": 27', CorruptError),
        ('"samples": 27', '"samples": ' + "9" * 5000, CorruptError),
        ('"parts": {', '"parts": ' + "[" * 100000 + ', "p": {', CorruptError),
        ('"train": {', '"../train": {', CorruptError),
        ('"seed"', '"see"', None),
    ],
)
def test_bad_index(sets, tmp_path, old, new, kind):
    text = (sets / "raw" / "index.json").read_text()
    assert old in text
    changed = text.replace(old, new, 1)
    (tmp_path / "index.json").write_text(changed)
    with pytest.raises(ShardError, match="index.json"):  # the checksum, at the latest
        Dataset(tmp_path)
    (tmp_path / "index.json").write_text(resign(changed))
    if kind is None:  # what is signed and sound opens, so the others failed for what they are
        Dataset(tmp_path)
        return
    with pytest.raises(kind, match="index.json"):
        Dataset(tmp_path)


@pytest.mark.parametrize("shape", ["0", "9", "1e3", "true", "-3", "99999999"])
def test_bad_shape(sets, tmp_path, shape):
    x = json.loads((sets / "raw" / "index.json").read_text())
    x["shape"] = [3, json.loads(shape), 96]
    (tmp_path / "index.json").write_text(resign(json.dumps(x)))
    if shape == "9":  # sound, but not what the shards hold
        shutil.copy(sets / "raw" / "train-00000-of-00004.safetensors", tmp_path)
        with pytest.raises(CorruptError, match="train-00000"):
            Dataset(tmp_path)[0]
        return
    with pytest.raises(CorruptError, match="index.json"):
        Dataset(tmp_path)


def test_hostile_headers(sets, tmp_path):
    """Headers that lie about their tensors end in a ShardError, whatever they say; checksums don't save us here."""
    ds = Dataset(sets / "raw")
    info = ds.index.parts["train"][0]
    good = (sets / "raw" / info.file).read_bytes()
    n = struct.unpack("<Q", good[:8])[0]
    head = json.loads(good[8 : 8 + n])
    lies = [
        lambda h: None,
        lambda h: h["image"].update(shape=[1 << 40, 3, 112, 96]),
        lambda h: h["image"].update(data_offsets=[0, h["image"]["data_offsets"][1]]),
        lambda h: h["image"].update(data_offsets=[h["image"]["data_offsets"][0], 1 << 62]),
        lambda h: h["image"].update(data_offsets=[-64, h["image"]["data_offsets"][1]]),
        lambda h: h["label"].update(dtype="F64"),
        lambda h: h["label"].update(shape=[27, 1]),
        lambda h: h["label"].update(shape=None),
        lambda h: h["label"].update(data_offsets=h["age"]["data_offsets"]),
        lambda h: h["key"].update(shape=[0], data_offsets=[0, 0]),
        lambda h: h.pop("crc32c"),
        lambda h: h.update(more={"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}),
        lambda h: h["__metadata__"].update(format="vf2prep.shard/9"),
        lambda h: h["__metadata__"].update(encoding="jpeg"),
        lambda h: h.pop("__metadata__"),
    ]
    for k, lie in enumerate(lies):
        h = json.loads(json.dumps(head))
        lie(h)
        text = json.dumps(h, separators=(",", ":")).encode()
        data = struct.pack("<Q", len(text)) + text + good[8 + n :]
        (tmp_path / info.file).write_bytes(data)
        if k == 0:
            Shard(str(tmp_path), ShardInfo(info.file, info.samples, len(data), ""), ds.index, trusted=True)
            continue
        with pytest.raises(ShardError, match="train-00000"):
            Shard(str(tmp_path), ShardInfo(info.file, info.samples, len(data), ""), ds.index, trusted=True)
    rng = np.random.default_rng(4)
    for _ in range(300):  # bytes at random places of the header
        bad = bytearray(good)
        for at in rng.integers(0, 8 + n, 3):
            bad[at] = rng.integers(0, 256)
        (tmp_path / info.file).write_bytes(bad)
        with pytest.raises(ShardError):
            Shard(str(tmp_path), info, ds.index)


def test_few_shards_at_a_time(sets):
    whole, one = Dataset(sets / "raw"), Dataset(sets / "raw", max_open=1)
    for i in np.random.default_rng(5).permutation(len(one)).tolist():
        np.testing.assert_array_equal(one[i][0], whole[i][0])
        assert len(one._open) == 1
    assert len(whole._open) == 4


def test_a_replaced_shard_is_checked_again(sets, tmp_path):
    shutil.copytree(sets / "raw", tmp_path / "raw")
    ds = Dataset(tmp_path / "raw", max_open=1)
    ds[0], ds[30]
    file = tmp_path / "raw" / "train-00000-of-00004.safetensors"
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.unlink()
    file.write_bytes(data)
    with pytest.raises(ShardError):
        ds[1]


def test_pickle(sets):
    ds = Dataset(sets / "raw", "val")
    ds[0]
    text = pickle.dumps(ds)
    assert len(text) < 20000
    np.testing.assert_array_equal(pickle.loads(text)[3][0], ds[3][0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_processes_share_what_was_checked(sets):
    ds = Dataset(sets / "raw")
    pid = os.fork()
    if pid == 0:
        ds[7]
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert ds._seen[7] == 1 and ds._seen[8] == 0


def test_transform(sets):
    assert Dataset(sets / "raw", transform=lambda x: x.mean())[0] == (Dataset(sets / "raw")[0][0].mean(), Dataset(sets / "raw")[0][1])
    keys = Dataset(sets / "raw", transform=lambda s: s["key"], as_dict=True)
    assert keys[3] == keys.key(3)
    drawn = Dataset(sets / "raw", transform=lambda x, rng: rng.integers(1 << 60))
    a, b = drawn[Draw(3, 1, 0)][0], drawn[Draw(3, 1, 1)][0]
    assert a != b and a == drawn[Draw(3, 1, 0)][0] and a != drawn[Draw(4, 1, 0)][0]


def test_no_set(tmp_path, sets):
    with pytest.raises(ShardError, match="no finished shard set"):
        Dataset(tmp_path)
    with pytest.raises(ShardError, match="no part 'tran', there are"):
        Dataset(sets / "raw", "tran")
    with pytest.raises(ValueError, match="column"):
        Dataset(sets / "raw").column("image")


def test_first_version(sets, tmp_path):
    """vf2prep.shards/1 and vf2prep.shard/1 lack encoding, and the index its checksum."""
    x = json.loads((sets / "raw" / "index.json").read_text())
    for k in ("crc32c", "encoding", "shard_size", "files"):
        del x[k]
    x["format"] = "vf2prep.shards/1"
    for s in x["parts"]["train"]["shards"]:
        good = (sets / "raw" / s["file"]).read_bytes()
        n = struct.unpack("<Q", good[:8])[0]
        head = good[8 : 8 + n].replace(b'"encoding":"raw",', b"").replace(b"vf2prep.shard/2", b"vf2prep.shard/1").ljust(n)
        at = head.index(b'"crc32c.header":"') + 17
        head = head[:at] + b"00000000" + head[at + 8 :]
        sum_ = crc.numpy_crc32c(good[:8] + head)
        (tmp_path / s["file"]).write_bytes(good[:8] + head[:at] + b"%08x" % sum_ + head[at + 8 :] + good[8 + n :])
    (tmp_path / "index.json").write_text(json.dumps(x))
    a, b = Dataset(tmp_path), Dataset(sets / "raw")
    assert all(np.array_equal(a[i][0], b[i][0]) and a[i][1] == b[i][1] for i in range(len(b)))
