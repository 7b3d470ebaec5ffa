"""Reading JSON that nobody vouches for: every value is checked before it is used."""

from __future__ import annotations

import json
from typing import Any

from .crc import crc32c
from .errors import CorruptError

_NO_SUM = b"00000000"


def parse_object(text: bytes, where: str) -> dict[str, Any]:
    """The JSON object in text; names that come twice, NaN and bottomless nesting are refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise ValueError("a name comes twice")
        return out

    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        out = json.loads(text.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as e:
        raise CorruptError(f"{where}: {e}") from None
    if not isinstance(out, dict):
        raise CorruptError(f"{where}: not a JSON object")
    return out


def whole(x: Any, where: str, least: int = 0, most: int = 1 << 62) -> int:
    """x, where it is a whole number from least to most."""
    if isinstance(x, bool) or not isinstance(x, int) or not least <= x <= most:
        raise CorruptError(f"{where}: {x!r:.60}, want a whole number from {least} to {most}")
    return x


def text(x: Any, where: str) -> str:
    """x, where it is a text."""
    if not isinstance(x, str):
        raise CorruptError(f"{where}: {x!r:.60}, want a text")
    return x


def embedded_sum(data: bytes, mark: bytes) -> tuple[str, str]:
    """The checksum that stands in data behind the first mark, and the one that data has with zeros in its place."""
    at = data.find(mark)
    if at < 0 or at + len(mark) + len(_NO_SUM) + 1 > len(data):
        return "", "none"
    at += len(mark)
    end = at + len(_NO_SUM)
    want = data[at:end].decode("latin-1")
    return want, "%08x" % crc32c(data[:at] + _NO_SUM + data[end:])
