"""Memory that loaded models take, each measurement in a fresh process.

`python -m benchmarks.memory MODEL [MODEL ...]` loads the models, scores a conversation with each,
and prints by how many bytes the process has grown.
"""

import gc
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from core.models.card import AdapterSource, RewardModelCard
from core.models.catalogue import list_cards

REPOSITORY = Path(__file__).resolve().parent.parent
TIMEOUT_S = 300


def resident_growth(names: Sequence[str]) -> int:
    """Bytes by which this process grows when it loads the models and scores with each."""
    import torch

    from core import models
    from core.engine.scoring import score_sequences
    from core.engine.templating import encode
    from core.models import loading  # noqa: F401 - its imports are not what is measured
    from core.models.base import TokenRewardModel
    from core.schema import make_conversation

    torch.ones(256, 256) @ torch.ones(256, 256)
    gc.collect()
    before = psutil.Process().memory_info().rss
    loaded = [models.load(name) for name in names]
    for model in loaded:
        if not isinstance(model, TokenRewardModel):
            raise SystemExit(f"{model.card.id} has no weights here.")
        encoded = encode(model, make_conversation("What is two plus two?", "Four."))
        list(score_sequences(model, [encoded.sequence]))
    gc.collect()
    return psutil.Process().memory_info().rss - before


def growth_in_fresh_process(names: Sequence[str]) -> int:
    """`resident_growth` of the models in a process that has loaded nothing else.

    Raises:
        subprocess.CalledProcessError: when the models cannot be loaded there.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *names],
        cwd=REPOSITORY,
        check=True,
        timeout=TIMEOUT_S,
        stdout=subprocess.PIPE,
        text=True,
    )
    return int(done.stdout.split()[-1])


def sibling(card: RewardModelCard) -> str | None:
    """Another adapter of the catalogue over the same base, or None."""
    if not isinstance(card.source, AdapterSource):
        return None
    own = card.source
    for other in list_cards():
        source = other.source
        if not isinstance(source, AdapterSource) or other.id == card.id:
            continue
        if source.base == own.base and source.adapter != own.adapter:
            return other.id
    return None


if __name__ == "__main__":
    print(resident_growth(sys.argv[1:]))
