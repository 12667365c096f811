"""The thread that gets one model's work ready: loads the model, encodes, looks into the cache.

What is left to compute goes on to the residence's worker. Encoding the next conversations thus
overlaps with scoring the ones before, and a model that takes minutes to load holds up no other.
"""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.engine.cache import RewardCache
from core.engine.jobs import ScoreJob, ScoreRow
from core.engine.requests import Payload, Request, Wish, key_maker, priority_of
from core.engine.templating import encode
from core.engine.worker import Worker, make_row
from core.errors import in_one_line
from core.models.base import ConversationRewardModel, RewardModel, TokenRewardModel
from core.schema import Conversation, parse_conversation

CHUNK = 32
"""Bulk conversations encoded between two looks at the queue."""
BACKLOG = 2048
"""Bulk requests one job may have waiting at the worker: bounds the memory of a huge job."""
BACKLOG_WAIT_S = 0.05


@dataclass(eq=False)
class _Order:
    job: ScoreJob
    conversations: Sequence[Conversation]
    position: int = 0
    model: RewardModel | None = None

    @property
    def backlog(self) -> int:
        return self.position - self.job.n_done


class Intake:
    """Prepares the jobs for one model, live ones first.

    Args:
        name: of the model.
        acquire: gives the loaded model, which then stays until `release`; may block and raise.
        worker_of: gives the worker that computes for a model.
        cache: where rewards are kept, or None.
    """

    def __init__(
        self,
        name: str,
        *,
        acquire: Callable[[str], RewardModel],
        release: Callable[[str], None],
        worker_of: Callable[[RewardModel], Worker],
        cache: RewardCache | None,
    ) -> None:
        self.name = name
        self._acquire = acquire
        self._release = release
        self._worker_of = worker_of
        self._cache = cache
        self._changed = threading.Condition()
        self._live: deque[_Order] = deque()
        self._bulk: deque[_Order] = deque()
        self._closed = False
        self._keys: tuple[weakref.ref[RewardModel], Callable[[Payload], bytes]] | None = None
        self._thread = threading.Thread(target=self._loop, name=f"intake {name}", daemon=True)
        self._thread.start()

    def add(self, job: ScoreJob, conversations: Sequence[Conversation]) -> None:
        """Takes a job on."""
        with self._changed:
            (self._live if job.live else self._bulk).append(_Order(job, conversations))
            self._changed.notify_all()

    def close(self, timeout: float | None = None) -> None:
        """Ends the thread; a load in flight is not waited for longer than `timeout` seconds."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _loop(self) -> None:
        while True:
            order = self._next_order()
            if order is None:
                return
            try:
                self._advance(order)
            except Exception as error:  # noqa: BLE001 - reported to the jobs that wait
                self._fail_all(order, error)
            del order  # it holds on to the model, which may be unloaded while this thread waits

    def _next_order(self) -> _Order | None:
        """The next order with something to do: live ones, then bulk ones in turn."""
        with self._changed:
            while not self._closed:
                if self._live:
                    return self._live.popleft()
                for _ in range(len(self._bulk)):
                    order = self._bulk.popleft()
                    if order.job.finished:
                        continue
                    if order.backlog < BACKLOG:
                        return order
                    self._bulk.append(order)
                self._changed.wait(BACKLOG_WAIT_S if self._bulk else None)
        return None

    def _advance(self, order: _Order) -> None:
        """Prepares the order's next conversations; an unfinished bulk order queues again."""
        job = order.job
        if job.finished:
            return
        if order.model is None:
            order.model = self._acquire(self.name)
            job.at_end(lambda: self._release(self.name))
        stop = len(order.conversations) if job.live else order.position + CHUNK
        requests: list[Request] = []
        broken: list[ScoreRow] = []
        while order.position < min(stop, len(order.conversations)):
            index = order.position
            prepared = self._prepare(order, order.model, index)
            order.position += 1
            if isinstance(prepared, Request):
                requests.append(prepared)
            else:
                broken.append(prepared)
            if self._live and not job.live:
                break
        job.deliver(broken)
        self._hand_on(order.model, job, requests)
        if order.position < len(order.conversations) and not job.finished:
            with self._changed:
                self._bulk.append(order)

    def _prepare(self, order: _Order, model: RewardModel, index: int) -> Request | ScoreRow:
        job = order.job
        n_tokens = n_cut = 0
        payload: Payload
        try:
            if isinstance(model, TokenRewardModel):
                encoded = encode(model, order.conversations[index])
                payload = encoded.sequence
                n_tokens, n_cut = encoded.n_tokens, encoded.n_cut
            else:
                payload = parse_conversation(order.conversations[index])
                if isinstance(model, ConversationRewardModel):
                    n_tokens, n_cut = model.token_counts(payload)
        except Exception as error:  # noqa: BLE001 - a conversation that fails is its row's error
            return ScoreRow.failed(job.model, index, in_one_line(error))
        wish = Wish(job, index, n_tokens, n_cut)
        return Request(self._key(model)(payload), model, payload, priority_of(job), [wish])

    def _hand_on(self, model: RewardModel, job: ScoreJob, requests: list[Request]) -> None:
        if not requests:
            return
        known = self._cache.get_many([r.key for r in requests]) if self._cache else {}
        job.deliver(
            make_row(model, wish, known[request.key], cached=True)
            for request in requests
            for wish in request.wishes
            if request.key in known
        )
        self._worker_of(model).add([request for request in requests if request.key not in known])

    def _key(self, model: RewardModel) -> Callable[[Payload], bytes]:
        if self._keys is None or self._keys[0]() is not model:
            self._keys = (weakref.ref(model), key_maker(model))
        return self._keys[1]

    def _fail_all(self, order: _Order, error: Exception) -> None:
        """A model that does not load fails the jobs that waited for it; the next one tries anew."""
        orders = [order]
        if order.model is None:
            with self._changed:
                orders += [o for o in (*self._live, *self._bulk) if o.model is None]
                self._live.clear()
                self._bulk = deque(o for o in self._bulk if o.model is not None)
        for failed in orders:
            failed.job.fail(error)
