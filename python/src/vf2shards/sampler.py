"""Which samples each process trains on, and in which order: a function of seed and epoch alone."""

from __future__ import annotations

import os
from typing import Any, Iterator, Mapping, Optional, Sequence, Union

import numpy as np

from .dataset import Dataset, Draw

_CHUNK = 2 << 20  # bytes; a disk with a head moves as long as it reads 1 to 2 MB
_WINDOW = 256 << 20  # bytes
_ORDERS = ("shuffled", "chunks", "sequential")
_ENDS = ("drop", "pad", "keep")


def _permutation(n: int, *stream: int) -> np.ndarray:
    """A permutation of 0 .. n-1, int64 [n], the same with every version of NumPy.

    NumPy promises the raw numbers of a bit generator and of SeedSequence, not what Generator.permutation makes of
    them; so the numbers are sorted.
    """
    raw = np.random.Philox(np.random.SeedSequence(list(stream))).random_raw(n)
    return np.argsort(raw, kind="stable")


class ShardSampler:
    """The batches of one process, as lists of sample numbers: a batch_sampler of torch.utils.data.DataLoader.

    Every process computes the same order of all samples from seed and epoch and cuts it into global batches of
    world_size * batch samples; rank r takes the r-th batch of each. So no rank sees a sample of another, all take
    the same number of steps, and as long as world_size * batch stays the same, so do the global batches.

    source: a Dataset; or the numbers of the samples to draw from, int [M]; or how many there are.
    batch: samples of a step of this process.
    rank, world_size: by default those that torchrun put into the environment, else 0 of 1.
    order: "shuffled", all in random order. "chunks", for sets larger than memory and disks that are slow at random
        places: runs of consecutive samples (chunk, by default 2 MiB of raw pixels) in random order, the samples of
        each window of them (window, 256 MiB) mixed. "sequential", the set's own order, which is random too.
    ends: what becomes of an epoch's last samples, fewer than a global batch. "drop" leaves them out. "pad" divides
        them among the ranks, each of which fills its batch with samples that it had before in this epoch. "keep"
        divides them and makes the last batch smaller; where they are fewer than the ranks, some take a step less.
    draws: hand out Draws instead of numbers, so that a Dataset gives its transform random numbers of its own.

    set_epoch chooses epoch and first step. Iterating does not change them: a DataLoader runs ahead of the training,
    so only the training knows where it is. Loader keeps count.
    """

    def __init__(
        self,
        source: Union[Dataset, int, Sequence[int], np.ndarray],
        batch: int,
        *,
        seed: int = 0,
        rank: Optional[int] = None,
        world_size: Optional[int] = None,
        order: str = "shuffled",
        ends: str = "drop",
        draws: bool = False,
        chunk: Optional[int] = None,
        window: Optional[int] = None,
    ) -> None:
        if (rank is None) != (world_size is None):
            raise ValueError(f"rank {rank} of {world_size}: give both or neither")
        if rank is None or world_size is None:
            rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank}, want 0 to {world_size - 1}")
        if batch < 1 or seed < 0:
            raise ValueError(f"batch {batch}, seed {seed}: want at least 1, at least 0")
        if order not in _ORDERS or ends not in _ENDS:
            raise ValueError(f"order {order!r}, ends {ends!r}: want one of {_ORDERS}, one of {_ENDS}")
        self.batch, self.seed, self.rank, self.world_size = batch, seed, rank, world_size
        self.order, self.ends, self.draws = order, ends, draws
        self.epoch = self.step = 0
        self._set, self._numbers = "", None
        self._sizes: list[int] = []
        if isinstance(source, Dataset):
            self.samples, self._sizes = len(source), source.shard_sizes
            self._set = source.index.build + ":" + source.part
            sample = int(np.prod(source.index.shape))
            chunk, window = chunk or max(1, _CHUNK // sample), window or max(1, _WINDOW // sample)
        elif isinstance(source, int):
            self.samples = source
        else:
            self._numbers = np.asarray(source, np.int64).reshape(-1)
            self.samples = self._numbers.size
        if order == "chunks":
            if chunk is None or window is None:
                raise ValueError("order 'chunks' wants a Dataset, or chunk and window in samples")
            if chunk < 1 or window < 1:
                raise ValueError(f"chunk {chunk}, window {window}: want at least 1")
        self.chunk, self.window = chunk or 1, window or 1
        least = world_size * batch if ends == "drop" else world_size if ends == "pad" else 0
        if self.samples < least:
            raise ValueError(f"{self.samples} samples for {world_size} ranks with batches of {batch}: want at least {least} with ends={ends!r}")
        self._cached: tuple[int, Optional[np.ndarray]] = (-1, None)

    @property
    def global_batch(self) -> int:
        """Samples of a step, all ranks together."""
        return self.world_size * self.batch

    @property
    def steps(self) -> int:
        """Batches of a whole epoch of this rank."""
        whole, left = divmod(self.samples, self.global_batch)
        if self.ends == "drop" or not left:
            return whole
        return whole + (self.ends == "pad" or len(self._share(np.arange(left))) > 0)

    def __len__(self) -> int:
        """Batches that iterating will give: those from step on."""
        return max(self.steps - self.step, 0)

    def set_epoch(self, epoch: int, step: int = 0) -> None:
        """Iterating begins with batch step of epoch, both from 0."""
        if epoch < 0 or not 0 <= step <= self.steps:
            raise ValueError(f"epoch {epoch}, step {step}: an epoch has {self.steps} steps")
        self.epoch, self.step = epoch, step

    def __iter__(self) -> Iterator[list]:
        epoch = self.epoch
        for step in range(self.step, self.steps):
            numbers = self._batch(epoch, step).tolist()
            yield [Draw(i, self.seed, epoch) for i in numbers] if self.draws else numbers

    def epoch_order(self, epoch: int) -> np.ndarray:
        """The numbers of all samples in the order of an epoch, int64 [samples]; the same for every rank."""
        if self._cached[0] != epoch:
            order = self._ordered(epoch)
            self._cached = (epoch, order if self._numbers is None else self._numbers[order])
        out = self._cached[1]
        assert out is not None
        return out

    def _ordered(self, epoch: int) -> np.ndarray:
        if self.order == "sequential":
            return np.arange(self.samples)
        if self.order == "shuffled":
            return _permutation(self.samples, self.seed, epoch, 0)
        starts, ends, first = [], [], 0
        at: np.ndarray
        for size in self._sizes if self._numbers is None and self._sizes else [self.samples]:
            at = np.arange(first, first + size, self.chunk)  # a chunk lies in one shard
            starts.append(at)
            ends.append(np.minimum(at + self.chunk, first + size))
            first += size
        start, end = np.concatenate(starts), np.concatenate(ends)
        mixed = _permutation(start.size, self.seed, epoch, 1)
        per_window = max(1, self.window // self.chunk)
        out = []
        for k in range(-(-mixed.size // per_window)):
            window = mixed[k * per_window : (k + 1) * per_window]
            run = np.concatenate([np.arange(start[c], end[c]) for c in window])
            out.append(run[_permutation(run.size, self.seed, epoch, 2, k)])
        return np.concatenate(out) if out else np.arange(0)

    def _share(self, left: np.ndarray) -> np.ndarray:
        """What this rank takes of an epoch's last samples."""
        n, r, w = len(left), self.rank, self.world_size
        return left[n * r // w : n * (r + 1) // w]

    def _batch(self, epoch: int, step: int) -> np.ndarray:
        order, g = self.epoch_order(epoch), self.global_batch
        if (step + 1) * g <= self.samples:
            return order[step * g + self.rank * self.batch :][: self.batch]
        share = self._share(order[step * g :])
        if self.ends == "keep" or len(share) == self.batch:
            return share
        mine = self._batch(epoch, 0) if step else share  # of this epoch, so that no rank sees another's
        return np.concatenate([share, np.resize(mine, self.batch - len(share))])

    def state_dict(self, step: Optional[int] = None) -> dict[str, Any]:
        """All that decides which batches come next, after step steps of the epoch (by default those of set_epoch)."""
        return {"epoch": self.epoch, "step": self.step if step is None else step, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where state_dict was taken; another order of samples is refused by name.

        Ranks and batch may be others as long as world_size * batch is the same.
        """
        other = [f"{k}: {state.get(k)!r} there, {v!r} here" for k, v in self._identity().items() if state.get(k) != v]
        if other:
            raise ValueError("the state is of another order of samples: " + "; ".join(other))
        self.set_epoch(state["epoch"], state["step"])

    def _identity(self) -> dict[str, Any]:
        out = {"version": 1, "seed": self.seed, "order": self.order, "ends": self.ends, "samples": self.samples}
        out.update(global_batch=self.global_batch, set=self._set)
        if self._numbers is not None:
            from .crc import crc32c

            out["numbers"] = crc32c(self._numbers.astype("<i8"))
        if self.order == "chunks":
            out.update(chunk=self.chunk, window=self.window)
        return out
