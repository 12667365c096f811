"""Has a server another model under the old name? Its values of the probe texts tell.

Few servers say which weights they serve. So the values of the probe texts are kept from one
connection to the next: when they move by more than rounding explains, rewards kept from before
belong to another model, and must not be given out as those of this one.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from core.paths import cache_folder

FOLDER = "remote-models"
MOST_KEPT = 32
"""Models remembered for one card and server; the oldest are forgotten."""
_ROUNDING = {"float32": 2.0**-14, "float16": 2.0**-9}
_COARSEST = 2.0**-6
"""Four roundings of bfloat16, for number formats that are not told. Our choice, as in parity."""


@dataclass(frozen=True)
class Remembered:
    """What is known of a server's model.

    Attributes:
        mark: names the model among those that were seen behind this card and server.
        is_other: whether another one was seen there before.
    """

    mark: str
    is_other: bool


def remember(key: str, values: Sequence[float], dtype: str) -> Remembered:
    """Finds the model with these values among those seen before, or adds it.

    A folder that cannot be read or written costs only that the model is taken for a new one.

    Args:
        key: hash of server, card and whatever else decides a reward.
        values: of the probe texts; NaN where there is none.
        dtype: number format of the server, "" where it does not say.
    """
    file = cache_folder() / FOLDER / f"{key}.json"
    seen: list[list[float]] = []
    with contextlib.suppress(OSError, ValueError, TypeError):
        seen = [[float(v) for v in item] for item in json.loads(file.read_text(encoding="utf-8"))]
    known = next((item for item in reversed(seen) if _same(item, values, dtype)), None)
    kept = known or [float(value) for value in values]
    # The latest stands last, so that a change back is a change too.
    others = [item for item in seen if item is not known]
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.partial")
        part.write_text(json.dumps([*others, kept][-MOST_KEPT:]), encoding="utf-8")
        part.replace(file)
    mark = hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:16]
    return Remembered(mark, bool(seen) and known is not seen[-1])


def _same(old: Sequence[float], new: Sequence[float], dtype: str) -> bool:
    both = [(a, b) for a, b in zip(old, new, strict=False) if math.isfinite(a) and math.isfinite(b)]
    if len(old) != len(new) or not both:
        return False
    size = max(1.0, *(abs(value) for pair in both for value in pair))
    tolerance = _ROUNDING.get(dtype, _COARSEST) * size
    return all(abs(a - b) <= tolerance for a, b in both)
