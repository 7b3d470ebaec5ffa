"""A part of a shard set as samples by number, for any program that wants Python objects."""

from __future__ import annotations

import mmap
import os
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Callable, NamedTuple, Optional, Union

import numpy as np

from .errors import ShardError
from .index import Index, read_index
from .shard import Shard


class Draw(NamedTuple):
    """A sample that is asked for in a certain epoch: what a ShardSampler with draws=True hands out."""

    sample: int
    seed: int
    epoch: int

    def generator(self) -> np.random.Generator:
        """Random numbers that depend on seed, epoch and sample alone: not on workers, ranks or what was drawn before."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, self.epoch, self.sample])))


class Dataset:
    """The samples of one part of a shard set, in the set's order; torch.utils.data.DataLoader takes it as it is.

    A sample is (image, label): image uint8 [C,H,W] with channels in the order of index.channels, label the class as
    int, -1 for none. With as_dict it is a dict: image, label, age in years as float32 (NaN unknown), gender (0 male,
    1 female, -1 unknown), landmarks float32 [5,2] (x, y in pixels of the sample; NaN unknown) and key
    ("n000002/0001_01").

    transform is called with the image, or with the dict, and what it returns takes its place. Where a sampler
    hands out draws, it is called with a numpy.random.Generator as well.

    A shard is mapped when it is first touched, its header and small tensors are checked then, and the CRC-32C of a
    sample is checked when it is first read, unless verify is False. Damage raises a CorruptError. Worker processes
    that are forked know what the others have checked; those that are spawned map and check for themselves.

    max_open shards are mapped at a time, by default for half the files that the process may have open.
    """

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        part: str = "train",
        transform: Optional[Callable[..., Any]] = None,
        *,
        as_dict: bool = False,
        verify: bool = True,
        max_open: Optional[int] = None,
    ) -> None:
        self.path, self.part = os.fspath(path), part
        self.transform, self.as_dict, self.verify = transform, as_dict, verify
        self.index: Index = read_index(self.path)
        if part not in self.index.parts:
            raise ShardError(f"{self.path}: no part {part!r}, there are {sorted(self.index.parts)}")
        self._infos = self.index.parts[part]
        self._ends = list(accumulate(s.samples for s in self._infos))
        self.max_open = max_open if max_open is not None else _half_of_open_files()
        if self.max_open < 1:
            raise ValueError(f"max_open {self.max_open}, want at least 1")
        self._begin()

    def _begin(self) -> None:
        self._open: dict[int, Shard] = {}  # by number, the least recently used first
        self._trusted: dict[int, tuple[int, ...]] = {}  # shards that were checked, and which file that was
        # A byte a sample, 1 where its checksum was found right. The mapping is shared with forked processes.
        self._seen = mmap.mmap(-1, max(len(self), 1)) if self.verify else None

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_open", "_trusted", "_seen")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __repr__(self) -> str:
        return f"Dataset({self.path!r}, {self.part!r}: {len(self)} samples of {self.index.shape}, {self.index.encoding})"

    @property
    def classes(self) -> tuple[str, ...]:
        """The identity of each label."""
        return self.index.classes

    @property
    def shard_sizes(self) -> list[int]:
        """Samples of each shard, in order."""
        return [s.samples for s in self._infos]

    def __getitem__(self, at: Union[int, Draw]) -> Any:
        i = at.sample if isinstance(at, Draw) else at
        shard, j = self._locate(i)
        if self._seen is not None and not self._seen[i]:
            shard.verify(j)
            self._seen[i] = 1
        image: Any = shard.image(j)
        label = int(shard.label[j])
        if self.as_dict:
            image = {
                "image": image,
                "label": label,
                "age": shard.age[j],
                "gender": int(shard.gender[j]),
                "landmarks": shard.landmarks[j].copy(),
                "key": shard.key(j),
            }
        if self.transform is not None:
            image = self.transform(image, at.generator()) if isinstance(at, Draw) else self.transform(image)
        return image if self.as_dict else (image, label)

    def key(self, i: int) -> str:
        """NAME_ID of sample i: "n000002/0001_01"."""
        shard, j = self._locate(i)
        return shard.key(j)

    def column(self, name: str) -> np.ndarray:
        """What all samples have under a name, without touching a pixel.

        label int32 [N], age float32 [N], gender int8 [N] or landmarks float32 [N,5,2].
        """
        if name not in ("label", "age", "gender", "landmarks"):
            raise ValueError(f"column {name!r}, want label, age, gender or landmarks")
        columns = [getattr(self._shard(k), name) for k in range(len(self._infos))]
        if columns:
            return np.concatenate(columns)
        return np.empty((0, 5, 2) if name == "landmarks" else 0, {"label": "i4", "gender": "i1"}.get(name, "f4"))

    def _locate(self, i: int) -> tuple[Shard, int]:
        if not 0 <= i < len(self):
            raise IndexError(f"sample {i}, there are {len(self)}")
        k = bisect_right(self._ends, i)
        return self._shard(k), i - (self._ends[k] - self._infos[k].samples)

    def _shard(self, k: int) -> Shard:
        shard = self._open.pop(k, None)
        if shard is None:
            info = self._infos[k]
            try:
                stat = os.stat(os.path.join(self.path, info.file))
            except FileNotFoundError:
                raise ShardError(f"{os.path.join(self.path, info.file)} is missing") from None
            which = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            while len(self._open) >= self.max_open:
                self._open.pop(next(iter(self._open)), None)
            shard = Shard(self.path, info, self.index, trusted=self._trusted.get(k) == which)
            self._trusted[k] = which
        self._open[k] = shard
        return shard


def _half_of_open_files() -> int:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return max(limit // 2, 16) if limit != resource.RLIM_INFINITY else 1 << 20
    except ImportError:  # Windows, where a mapping takes no descriptor
        return 1 << 20
