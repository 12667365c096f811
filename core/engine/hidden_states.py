"""Final hidden states of conversations, computed once and kept: a linear head trains on them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.engine.batching import next_batch
from core.engine.jobs import JobState, Progress
from core.engine.requests import key_maker
from core.engine.scoring import batch_limits
from core.engine.service import RewardService
from core.engine.templating import encode
from core.errors import ScoringError, WorkbenchError
from core.models.base import RewardModel, TokenSequence
from core.models.causal import CausalRewardModel
from core.schema import Conversation

States = npt.NDArray[np.float32]

NOT_READ = "not read: the run was stopped"
MOST_BYTES = 256 * 2**20


class StateStore:
    """Hidden states by the key of their reward, the latest ones up to a number of bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._states: OrderedDict[bytes, States] = OrderedDict()
        self._most = most_bytes
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> States | None:
        """(d,) the states under this key, or None."""
        with self._lock:
            if key not in self._states:
                return None
            self._states.move_to_end(key)
            return self._states[key]

    def put(self, key: bytes, states: States) -> None:
        """Keeps states; the ones not asked for longest make room."""
        kept = np.array(states)
        kept.flags.writeable = False
        with self._lock:
            before = self._states.pop(key, None)
            self._states[key] = kept
            self._n_bytes += kept.nbytes - (0 if before is None else before.nbytes)
            while self._n_bytes > self._most and len(self._states) > 1:
                _, oldest = self._states.popitem(last=False)
                self._n_bytes -= oldest.nbytes


class StatesRun:
    """One model's reading of conversations: started at once, looked at, stopped, read.

    What a stopped run has read is in the store: the next run begins there.

    Args:
        service: what holds the model.
        model: its name.
        conversations: what is read; equal ones are read once.
        store: where the states are kept.
    """

    def __init__(
        self,
        service: RewardService,
        model: str,
        conversations: Sequence[Conversation],
        store: StateStore,
    ) -> None:
        self.model = model
        self.error: str = ""
        self.state: JobState = "queued"
        self._service = service
        self._conversations = list(conversations)
        self._store = store
        self._states: list[States | None] = [None] * len(self._conversations)
        self._errors = [NOT_READ] * len(self._conversations)
        self._n_known = 0
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._work, name="hidden-states", daemon=True).start()

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Stops after the batch in flight."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end; True when it has come."""
        return self._ended.wait(timeout)

    @property
    def n_done(self) -> int:
        """Conversations that are through, failed ones included."""
        return sum(error != NOT_READ for error in self._errors)

    def progress(self) -> Progress:
        """How far it is."""
        done, total = self.n_done, len(self._conversations)
        computed = done - self._n_known
        spent = time.monotonic() - self._began
        rate = computed / spent if computed > 0 and spent > 0 else 0.0
        remaining = 0.0 if done == total else ((total - done) / rate if rate else None)
        return Progress(done, total, rate, remaining, self._n_known, self.state)

    def states(self) -> tuple[npt.NDArray[np.float64], list[str]]:
        """(n, d) states, NaN where there are none, and why there are none ("" where there are)."""
        width = next((len(row) for row in self._states if row is not None), 0)
        table = np.full((len(self._states), width), np.nan)
        for at, row in enumerate(self._states):
            if row is not None:
                table[at] = row
        return table, [self.error or error if error else "" for error in self._errors]

    def _work(self) -> None:
        try:
            self.state = "running"
            self._read_all(_with_states(self._service.model(self.model)))
            self.state = "stopped" if self._stop.is_set() and NOT_READ in self._errors else "done"
        except Exception as error:  # noqa: BLE001 - told to whoever looks at the run
            known = isinstance(error, WorkbenchError)
            self.error = str(error) if known else f"{type(error).__name__}: {error}"
            self.state = "failed"
        finally:
            self._ended.set()

    def _read_all(self, model: CausalRewardModel) -> None:
        key = key_maker(model)
        waiting: dict[TokenSequence, list[int]] = {}
        for at, conversation in enumerate(self._conversations):
            try:
                sequence = encode(model, conversation).sequence
            except WorkbenchError as error:
                self._errors[at] = str(error)
                continue
            known = self._store.get(key(sequence))
            if known is None:
                waiting.setdefault(sequence, []).append(at)
            else:
                self._deliver([at], known)
                self._n_known += 1
        self._began = time.monotonic()
        queue = sorted(waiting, key=len, reverse=True)
        limits = batch_limits(model)
        while queue and not self._stop.is_set():
            n = next_batch([len(sequence) for sequence in queue], limits)
            batch, queue = queue[:n], queue[n:]
            for sequence, row in zip(batch, self._of(batch), strict=True):
                self._store.put(key(sequence), row)
                self._deliver(waiting[sequence], row)

    def _of(self, batch: list[TokenSequence]) -> States:
        """The states of one batch, with the model to itself for that long."""
        return self._service.exclusive(
            self.model, lambda loaded: _with_states(loaded).last_states(batch)
        )

    def _deliver(self, places: list[int], row: States) -> None:
        for at in places:
            self._states[at] = row
            self._errors[at] = ""


def _with_states(model: RewardModel) -> CausalRewardModel:
    """The model, if its hidden states can be read.

    Raises:
        ScoringError: it has none that can.
    """
    if not isinstance(model, CausalRewardModel):
        raise ScoringError(
            f"{model.card.id} gives no hidden states to train a head on.",
            fix="Choose a model that is a decoder with a linear head, such as pocket.",
        )
    return model
