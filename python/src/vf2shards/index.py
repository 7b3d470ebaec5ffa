"""index.json: what a shard set is and which shards it has."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from .checked import embedded_sum, parse_object, text, whole
from .errors import CorruptError, ShardError, VersionError

_FORMATS = ("vf2prep.shards/1", "vf2prep.shards/2")
_MAX_INDEX = 256 << 20  # bytes
_MAX_CHANNELS, _MAX_SIDE, _MAX_ROW = 4, 8192, 64 << 20  # the largest sample that is believed
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class ShardInfo:
    """One shard as the index lists it."""

    file: str
    samples: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class Index:
    """A shard set's description."""

    shape: tuple[int, int, int]  # C, H, W
    channels: str  # "rgb" or "bgr"
    encoding: str  # "raw" or "jpeg"
    recipe: str  # how the pixels were made, by name
    build: str  # digest of all that decided the bytes
    manifest: str
    split: str
    classes: tuple[str, ...]  # identity of each label
    parts: dict[str, tuple[ShardInfo, ...]]
    checksum: str  # CRC-32C of the file, 8 hex digits; names the set with every shard's digest


def check_shape(shape: object, where: str) -> tuple[int, int, int]:
    """shape as C, H, W, where a sample of that size is believed."""
    if not isinstance(shape, list) or len(shape) != 3:
        raise CorruptError(f"{where}: shape {shape!r:.60}, want [C, H, W]")
    c = whole(shape[0], f"{where}: channels", 1, _MAX_CHANNELS)
    h = whole(shape[1], f"{where}: rows", 1, _MAX_SIDE)
    w = whole(shape[2], f"{where}: columns", 1, _MAX_SIDE)
    if c * h * w > _MAX_ROW:
        raise CorruptError(f"{where}: {c * h * w} bytes a sample, at most {_MAX_ROW} are read")
    return c, h, w


def read_index(directory: str) -> Index:
    """The index of a set. Missing, damaged or of another version it raises a ShardError."""
    path = os.path.join(directory, "index.json")
    try:
        with open(path, "rb") as f:
            data = f.read(_MAX_INDEX + 1)
    except FileNotFoundError:
        raise ShardError(f"{directory} is no finished shard set: there is no index.json in it") from None
    if len(data) > _MAX_INDEX:
        raise CorruptError(f"{path}: more than {_MAX_INDEX} bytes")
    return parse_index(data, path)


def parse_index(data: bytes, where: str) -> Index:
    """The index in data; where begins the errors."""
    x = parse_object(data, where)
    form = x.get("format")
    if form not in _FORMATS:
        raise VersionError(f"{where}: format {form!r:.60}, want {_FORMATS[-1]}")
    old = form == _FORMATS[0]
    if not old or x.get("crc32c"):
        want, got = embedded_sum(data, b'"crc32c": "')
        if want != got or want != x.get("crc32c"):
            raise CorruptError(f"{where}: CRC {got}, want {want!r:.20}")
    encoding = "raw" if old else x.get("encoding")
    if encoding not in ("raw", "jpeg"):
        raise VersionError(f"{where}: encoding {encoding!r:.60}, want raw or jpeg")
    if x.get("channels") not in ("rgb", "bgr"):
        raise CorruptError(f"{where}: channels {x.get('channels')!r:.60}, want rgb or bgr")
    shape = check_shape(x.get("shape"), where)
    if encoding == "jpeg" and shape[0] not in (1, 3):
        raise CorruptError(f"{where}: JPEGs of {shape[0]} channels")
    classes = x.get("classes") or []
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise CorruptError(f"{where}: classes, want a list of texts")
    parts = x.get("parts")
    if not isinstance(parts, dict):
        raise CorruptError(f"{where}: no parts")
    return Index(
        shape=shape,
        channels=x["channels"],
        encoding=encoding,
        classes=tuple(classes),
        parts={name: _part(name, p, f"{where}: part {name!r:.60}") for name, p in parts.items()},
        checksum=x.get("crc32c") or "",
        **{k: text(x.get(k, ""), f"{where}: {k}") for k in ("recipe", "build", "manifest", "split")},
    )


def _part(name: str, p: object, where: str) -> tuple[ShardInfo, ...]:
    if not _PART.fullmatch(name):
        raise CorruptError(f"{where}: no name for a file")
    if not isinstance(p, dict):
        raise CorruptError(f"{where}: no object")
    shards = p.get("shards") or []
    if not isinstance(shards, list):
        raise CorruptError(f"{where}: no list of shards")
    out = []
    for i, s in enumerate(shards):
        if not isinstance(s, dict):
            raise CorruptError(f"{where}: shard {i} is no object")
        want = f"{name}-{i:05d}-of-{len(shards):05d}.safetensors"  # so no name leaves the directory
        if s.get("file") != want:
            raise CorruptError(f"{where}: shard {i} is {s.get('file')!r:.60}, want {want}")
        out.append(
            ShardInfo(
                want,
                whole(s.get("samples"), f"{where}: {want}: samples"),
                whole(s.get("bytes"), f"{where}: {want}: bytes"),
                text(s.get("digest", ""), f"{where}: {want}: digest"),
            )
        )
    total = sum(s.samples for s in out)
    if p.get("samples") != total:
        raise CorruptError(f"{where}: shards hold {total} samples, the part says {p.get('samples')!r:.60}")
    return tuple(out)
