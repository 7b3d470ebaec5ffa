"""Reads the shard sets that vf2prep makes: fixed-shape faces in safetensors files.

    from vf2shards import Dataset, Loader, ShardSampler

    train = Dataset("shards", "train")
    image, label = train[0]  # uint8 [C,H,W], class

NumPy is all it needs. PyTorch is used by Loader where it is installed, Pillow for sets that hold JPEGs, google_crc32c
or crc32c for faster checksums.
"""

from .dataset import Dataset, Draw
from .errors import CorruptError, ShardError, VersionError
from .index import Index, ShardInfo, read_index
from .loader import Loader, collate
from .sampler import ShardSampler

__all__ = [
    "CorruptError",
    "Dataset",
    "Draw",
    "Index",
    "Loader",
    "ShardError",
    "ShardInfo",
    "ShardSampler",
    "VersionError",
    "collate",
    "read_index",
]
__version__ = "0.1.0"
