"""One shard: a safetensors file, mapped into memory and checked before anything in it is believed."""

from __future__ import annotations

import io
import os
import struct

import numpy as np

from .checked import embedded_sum, parse_object, text, whole
from .crc import crc32c
from .errors import CorruptError, ShardError, VersionError
from .index import Index, ShardInfo

_FORMATS = ("vf2prep.shard/1", "vf2prep.shard/2")
_MAX_HEADER = 100 << 20  # bytes, the format's own limit
# Bytes per element of the types that a shard has.
_DTYPES: dict[str, np.dtype] = {"U8": np.dtype("u1"), "I8": np.dtype("i1"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"), "F32": np.dtype("<f4")}


class Shard:
    """One open shard.

    label int32 [N], age float32 [N], gender int8 [N] and landmarks float32 [N,5,2] are views of the mapped file.
    trusted skips the checksums of header and small tensors, for a file that was checked before.
    """

    def __init__(self, directory: str, info: ShardInfo, index: Index, trusted: bool = False) -> None:
        self.name, self.index = info.file, index
        path = os.path.join(directory, info.file)
        try:
            # The view is no memmap: a slice of it costs a tenth. It keeps the mapping alive.
            self._bytes = np.memmap(path, np.uint8, "r").view(np.ndarray)
        except FileNotFoundError:
            raise ShardError(f"{path} is missing") from None
        except ValueError:  # an empty file can't be mapped
            raise CorruptError(f"{self.name}: empty file") from None
        self._header()
        self._layout(info)
        if not trusted:
            self._check(info)

    def __len__(self) -> int:
        return self._sums.size

    def _header(self) -> None:
        size = self._bytes.size
        n = struct.unpack("<Q", self._bytes[:8].tobytes())[0] if size >= 8 else 0
        if not 2 <= n <= min(_MAX_HEADER, size - 8):
            raise CorruptError(f"{self.name}: header of {n} bytes in a file of {size}")
        self._start = 8 + n
        where = f"{self.name}: header"
        self._tensors = parse_object(self._bytes[8 : self._start].tobytes(), where)
        self._meta = self._tensors.pop("__metadata__", None)
        if not isinstance(self._meta, dict):
            raise CorruptError(f"{where}: no metadata")
        form = self._meta.get("format")
        if form not in _FORMATS:
            raise VersionError(f"{self.name}: format {form!r:.60}, want {_FORMATS[-1]}")
        encoding = "raw" if form == _FORMATS[0] else self._meta.get("encoding")
        if encoding != self.index.encoding:
            raise CorruptError(f"{where}: encoding {encoding!r:.60}, the index says {self.index.encoding}")

    def _tensor(self, name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
        """A tensor as a view of the file; -1 in shape is any length."""
        where = f"{self.name}: tensor {name}"
        t = self._tensors.get(name)
        if not isinstance(t, dict) or t.get("dtype") != dtype:
            raise CorruptError(f"{where}: missing, or not {dtype}")
        got, at = t.get("shape"), t.get("data_offsets")
        if not isinstance(got, list) or len(got) != len(shape) or not isinstance(at, list) or len(at) != 2:
            raise CorruptError(f"{where}: shape {got!r:.60} at {at!r:.60}")
        count = 1
        for have, want in zip(got, shape):
            count *= whole(have, f"{where}: shape", 0 if want < 0 else want, self._bytes.size if want < 0 else want)
        end = whole(at[1], f"{where}: end", 0, self._bytes.size - self._start)
        start = whole(at[0], f"{where}: start", 0, end)
        if count * _DTYPES[dtype].itemsize != end - start:
            raise CorruptError(f"{where}: {end - start} bytes for {count} of {dtype}")
        self._spans[name] = (self._start + start, self._start + end)
        if count == 0:
            return np.empty(got, _DTYPES[dtype])
        # frombuffer, because a view could not change the type at an odd address.
        return np.frombuffer(self._bytes.data, _DTYPES[dtype], count, self._start + start).reshape(got)

    def _layout(self, info: ShardInfo) -> None:
        self._spans: dict[str, tuple[int, int]] = {}
        n, jpeg = info.samples, self.index.encoding == "jpeg"
        if n > self._bytes.size or info.bytes != self._bytes.size:
            raise CorruptError(f"{self.name}: {self._bytes.size} bytes, the index says {n} samples in {info.bytes}")
        self._key_offsets = self._tensor("key_offsets", "I64", (n + 1,))
        self._image_offsets = self._tensor("image_offsets", "I64", (n + 1,)) if jpeg else None
        self._sums = self._tensor("crc32c", "I64", (n,))
        self.label = self._tensor("label", "I32", (n,))
        self.age = self._tensor("age", "F32", (n,))
        self.landmarks = self._tensor("landmarks", "F32", (n, 5, 2))
        self.gender = self._tensor("gender", "I8", (n,))
        self._keys = self._tensor("key", "U8", (-1,))
        self._images = self._tensor("image", "U8", (-1,) if jpeg else (n, *self.index.shape))
        spans = sorted(self._spans.values())
        if self._tensors.keys() != self._spans.keys() or spans[0][0] != self._start or spans[-1][1] != self._bytes.size:
            raise CorruptError(f"{self.name}: header: other tensors, or the data does not fill the file")
        if any(a[1] != b[0] for a, b in zip(spans, spans[1:])):
            raise CorruptError(f"{self.name}: header: tensors overlap or leave holes")

    def _check(self, info: ShardInfo) -> None:
        want, got = embedded_sum(self._bytes[: self._start].tobytes(), b'"crc32c.header":"')
        if want != got:
            raise CorruptError(f"{self.name}: header: CRC {got}, want {want!r:.20}")
        for name, (start, end) in self._spans.items():
            if name == "image":
                continue
            sum_, listed = "%08x" % crc32c(self._bytes[start:end]), text(self._meta.get(f"crc32c.{name}"), f"{self.name}: crc32c.{name}")
            if sum_ != listed:
                raise CorruptError(f"{self.name}: section {name}: CRC {sum_}, want {listed!r:.20}")
        for name, offsets, size in (("key", self._key_offsets, self._keys.size), ("image", self._image_offsets, self._images.size)):
            if offsets is not None and (offsets[0] < 0 or offsets[-1] > size or (offsets[1:] < offsets[:-1]).any()):
                raise CorruptError(f"{self.name}: section {name}_offsets: out of order or beyond {size}")
        part, at = info.file.rsplit(".", 1)[0].split("-of-")[0].rsplit("-", 1)
        shape = "x".join(map(str, self.index.shape))
        for key, wanted in (
            ("part", part),
            ("shard", str(int(at))),
            ("shape", shape),
            ("channels", self.index.channels),
            ("build", self.index.build),
        ):
            if self._meta.get(key) != wanted:
                raise CorruptError(f"{self.name}: header: {key} {self._meta.get(key)!r:.60}, the index says {wanted!r}")
        low, high = (int(self.label.min()), int(self.label.max())) if len(self) else (-1, -1)
        if low < -1 or high >= len(self.index.classes):
            raise CorruptError(f"{self.name}: section label: {low} to {high}, there are {len(self.index.classes)} classes")

    def key(self, i: int) -> str:
        """NAME_ID of sample i: "n000002/0001_01"."""
        try:
            return self._keys[self._key_offsets[i] : self._key_offsets[i + 1]].tobytes().decode("utf-8")
        except UnicodeDecodeError as e:
            raise CorruptError(f"{self.name}: sample {i}: key: {e}") from None

    def stored(self, i: int) -> np.ndarray:
        """The bytes of sample i as the shard holds them, uint8 [B]: a view of the file, unchecked."""
        if self._image_offsets is None:
            return self._images[i].reshape(-1)
        return self._images[self._image_offsets[i] : self._image_offsets[i + 1]]

    def verify(self, i: int) -> None:
        """Raises a CorruptError where the bytes of sample i are not what was written."""
        got, want = crc32c(self.stored(i)), int(self._sums[i]) & 0xFFFFFFFF
        if got != want:
            raise CorruptError(f"{self.name}: sample {i}: CRC {got:08x}, want {want:08x}")

    def image(self, i: int) -> np.ndarray:
        """The pixels of sample i, uint8 [C,H,W], the caller's own."""
        if self._image_offsets is None:
            return self._images[i].copy()
        try:
            return decode(self.stored(i).tobytes(), self.index)
        except CorruptError as e:
            raise CorruptError(f"{self.name}: sample {i}: {e}") from None


def decode(jpeg: bytes, index: Index) -> np.ndarray:
    """The pixels of a JPEG file of the set's size and channels, uint8 [C,H,W]. Needs Pillow."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ImportError('this shard set holds JPEGs, which need Pillow: pip install "vf2shards[jpeg]"') from None
    channels, height, width = index.shape
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as im:
            if im.size != (width, height):  # before any pixel is made
                raise CorruptError(f"JPEG of {im.size[0]}x{im.size[1]} pixels, want {width}x{height}")
            if im.mode not in ("L", "RGB"):
                raise CorruptError(f"JPEG of mode {im.mode}, want L or RGB")
            pixels = np.asarray(im.convert("L" if channels == 1 else "RGB"))
    except CorruptError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as e:
        raise CorruptError(f"JPEG: {e}") from None
    if channels == 1:
        return pixels[None].copy()
    if index.channels == "bgr":
        pixels = pixels[:, :, ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
