"""What can be wrong with a shard set. Each message says where, what was found and what was wanted."""


class ShardError(ValueError):
    """A shard set can't be read. The others are kinds of it."""


class CorruptError(ShardError):
    """An index or a shard is not what was written."""


class VersionError(ShardError):
    """A set was written by a version that this one doesn't read."""
