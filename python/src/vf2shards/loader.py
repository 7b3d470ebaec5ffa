"""Batches for a training loop that can stop anywhere and go on exactly there."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

import numpy as np

from .dataset import Dataset
from .sampler import ShardSampler


def collate(samples: list) -> Any:
    """Samples as one batch of NumPy arrays: uint8 [B,C,H,W] and int64 [B], or a dict of arrays and a list of keys."""
    if isinstance(samples[0], dict):
        out = {k: [s[k] for s in samples] for k in samples[0]}
        return {k: v if isinstance(v[0], str) else np.stack(v) for k, v in out.items()}
    return tuple(np.stack(column) for column in zip(*samples))


class Loader:
    """Iterates over what is left of the current epoch; the next time, over the next epoch.

        loader = Loader(dataset, ShardSampler(dataset, 64, seed=1), workers=4)
        for epoch in range(loader.epoch, epochs):
            for image, label in loader:  # uint8 [B,C,H,W], int64 [B]
                ...

    With torch it is a torch.utils.data.DataLoader with so many worker processes, and options are passed on to that.
    framework="numpy" does without torch and without workers and gives arrays; "auto" does so where there is no torch.
    The batches are the same with any number of workers.

    epoch and step say where the training is: step counts the batches of the epoch that were handed out. Within
    the loop's body the current batch counts as done, so take state_dict after the update of the weights.
    Leaving the loop early loses nothing: the next loop goes on with the batch that follows.
    """

    def __init__(
        self, dataset: Dataset, sampler: ShardSampler, *, workers: int = 0, framework: str = "auto", **options: Any
    ) -> None:
        if framework not in ("auto", "torch", "numpy"):
            raise ValueError(f"framework {framework!r}, want auto, torch or numpy")
        self.dataset, self.sampler = dataset, sampler
        self.epoch, self.step = sampler.epoch, sampler.step
        self._torch = None
        if framework != "numpy":
            try:
                from torch.utils.data import DataLoader

                self._torch = DataLoader(dataset, batch_sampler=sampler, num_workers=workers, **options)
            except ImportError:
                if framework == "torch":
                    raise
        if self._torch is None and (workers or options):
            raise ValueError("workers and DataLoader's options want torch")

    def __len__(self) -> int:
        """Batches of the current epoch that are left."""
        return self.sampler.steps - self._position()[1]

    def __iter__(self) -> Iterator[Any]:
        self.epoch, self.step = self._position()
        self.sampler.set_epoch(self.epoch, self.step)
        batches = iter(self._torch) if self._torch is not None else self._numpy()
        try:
            for batch in batches:
                self.step += 1
                yield batch
        finally:  # also where the loop was left with the last batch
            self.epoch, self.step = self._position()

    def _numpy(self) -> Iterator[Any]:
        for numbers in self.sampler:
            yield collate([self.dataset[i] for i in numbers])

    def _position(self) -> tuple[int, int]:
        """Epoch and step of the batch that comes next; the end of an epoch is the beginning of the next."""
        if self.step >= self.sampler.steps > 0:
            return self.epoch + 1, 0
        return self.epoch, self.step

    def state_dict(self) -> dict[str, Any]:
        """Where the training is, in numbers and texts: for a checkpoint. With ends drop or pad the same on every rank."""
        epoch, step = self._position()
        return {**self.sampler.state_dict(), "epoch": epoch, "step": step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where state_dict was taken."""
        self.sampler.load_state_dict(state)
        self.epoch, self.step = self.sampler.epoch, self.sampler.step
