"""The thread that computes: one for all models that share weights, since they take turns anyway.

Work waits in three classes: single live edits, several live texts, bulk. A round takes what has
piled up in the most urgent class and is scored batch by batch; between two batches it is given up
when something more urgent has come or nobody wants its rest any more. Equal texts are computed
once, whoever asks.
"""

import threading
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from core.engine.cache import RewardCache, Values
from core.engine.conversations import Outcome, score_conversations
from core.engine.jobs import ScoreJob, ScoreRow
from core.engine.requests import Request, Wish, priority_of
from core.errors import in_one_line
from core.models.base import (
    ConversationRewardModel,
    ModelOutput,
    RewardModel,
    TokenRewardModel,
    TokenSequence,
)

if TYPE_CHECKING:
    from core.models.causal import CausalRewardModel

LIVE_WINDOW_S = 0.003
"""How long the first live edit waits for others to join its batch."""
ROUND_SIZE = 256
"""Bulk requests planned together: enough to sort by length and to share beginnings."""
TYPING_S = 3.0
"""How long after a live edit bulk batches stay small: the next edit is likely to follow."""
MEMO_SIZE = 4096
"""Latest results kept in memory: they answer a request that was on its way while its text was being
computed for another."""
WARM_SESSIONS = 16
"""Live conversations whose beginnings stay in memory, for each worker."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Task:
    future: "Future[Any]"
    function: Callable[[], Any]

    def run(self) -> None:
        if self.future.set_running_or_notify_cancel():
            try:
                self.future.set_result(self.function())
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                self.future.set_exception(error)


class Worker:
    """Scores requests for the models of one residence.

    Args:
        name: of the residence, shown as the thread's name.
        cache: where rewards are kept, or None.
    """

    def __init__(self, name: str, cache: RewardCache | None) -> None:
        self._cache = cache
        self._changed = threading.Condition()
        self._open: dict[bytes, Request] = {}
        self._live: tuple[deque[Request], deque[Request]] = (deque(), deque())
        self._bulk: OrderedDict[ScoreJob, deque[Request]] = OrderedDict()
        self._urgent_tasks: deque[_Task] = deque()
        self._idle_tasks: deque[_Task] = deque()
        self._memo: OrderedDict[bytes, Values] = OrderedDict()
        self._warm: OrderedDict[tuple[str, str | None], Any] = OrderedDict()
        self._closed = False
        self._round_jobs: set[ScoreJob] = set()
        self._bulk_arrived = False
        self._live_since = 0.0
        self._last_live = -TYPING_S
        self._thread = threading.Thread(target=self._loop, name=f"scorer {name[:20]}", daemon=True)
        self._thread.start()

    def add(self, requests: Sequence[Request]) -> None:
        """Takes requests on; those whose text was just computed are answered at once."""
        known: list[tuple[Request, Values]] = []
        with self._changed:
            for request in requests:
                values = self._memo.get(request.key)
                if values is not None:
                    known.append((request, values))
                else:
                    self._join_or_queue(request)
            self._changed.notify_all()
        for request, values in known:
            _deliver(request.model, request.wishes, values, cached=True)

    def call(self, function: Callable[[], T], *, urgent: bool = True) -> "Future[T]":
        """Runs `function` between two batches, with the model to itself.

        Args:
            urgent: before bulk work; otherwise only when nothing else waits.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
            tasks = self._urgent_tasks if urgent else self._idle_tasks
            tasks.append(_Task(future, function))
            self._changed.notify_all()
        return future

    def forget(self, fingerprint: str) -> None:
        """Drops the warm beginnings of a model that is being unloaded."""
        with self._changed:
            for key in [key for key in self._warm if key[0] == fingerprint]:
                del self._warm[key]

    def close(self, timeout: float | None = None) -> None:
        """Ends the thread after the batch in flight."""
        with self._changed:
            self._closed = True
            for task in (*self._urgent_tasks, *self._idle_tasks):
                task.future.cancel()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _join_or_queue(self, request: Request) -> None:
        waiting = self._open.get(request.key)
        if waiting is None:
            self._open[request.key] = request
            self._queue(request)
            return
        waiting.wishes.extend(request.wishes)
        if request.priority < waiting.priority:
            waiting.priority = request.priority  # its place in the slower queue is passed over
            self._queue(waiting)

    def _queue(self, request: Request) -> None:
        if request.priority < 2:
            self._last_live = time.monotonic()
            if not any(self._live):
                self._live_since = time.monotonic()
            self._live[request.priority].append(request)
            return
        job = request.wishes[0].job
        if job not in self._round_jobs:
            self._bulk_arrived = True
        self._bulk.setdefault(job, deque()).append(request)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._closed:
                    return
                self._await_company()
                task = self._next_task()
                requests = [] if task else self._take_round()
            if task:
                task.run()
            elif requests:
                self._score_round(requests)
            # They hold on to the model, which may be unloaded while this thread waits.
            del task, requests

    def _has_work(self) -> bool:
        tasks = self._urgent_tasks or self._idle_tasks
        return bool(self._closed or any(self._live) or self._bulk or tasks)

    def _await_company(self) -> None:
        if any(self._live):
            window = self._live_since + LIVE_WINDOW_S - time.monotonic()
            if window > 0:
                self._changed.wait_for(lambda: self._closed, window)

    def _next_task(self) -> _Task | None:
        if any(self._live):
            return None
        if self._urgent_tasks:
            return self._urgent_tasks.popleft()
        return self._idle_tasks.popleft() if self._idle_tasks and not self._bulk else None

    def _take_round(self) -> list[Request]:
        for priority, queue in enumerate(self._live):
            taken = self._take_live(queue, priority)
            if taken:
                return taken
        return self._take_bulk()

    def _take_live(self, queue: deque[Request], priority: int) -> list[Request]:
        """All that waits in a live queue for the model of its first request."""
        taken: list[Request] = []
        others: list[Request] = []
        while queue:
            request = queue.popleft()
            if self._drop(request, priority):
                continue
            same = not taken or request.model is taken[0].model
            (taken if same else others).append(request)
        queue.extend(others)
        return taken

    def _take_bulk(self) -> list[Request]:
        """Equal shares of the jobs that want the first job's model; then it is the others' turn."""
        for job in list(self._bulk):
            queue = self._bulk[job]
            while queue and self._drop(queue[0], 2):
                queue.popleft()
            if not queue:
                del self._bulk[job]
        self._bulk_arrived = False
        if not self._bulk:
            return []
        model = next(iter(self._bulk.values()))[0].model
        jobs = [job for job, queue in self._bulk.items() if queue[0].model is model]
        self._round_jobs = set(jobs)
        share = max(1, ROUND_SIZE // len(jobs))
        taken: list[Request] = []
        for job in jobs:
            queue = self._bulk[job]
            count = 0
            while queue and count < share:
                request = queue.popleft()
                if not self._drop(request, 2):
                    taken.append(request)
                    count += 1
            self._bulk.move_to_end(job)
            if not queue:
                del self._bulk[job]
        return taken

    def _drop(self, request: Request, priority: int) -> bool:
        """Whether a queued request needs no work: done, moved to a faster queue, or unwanted."""
        if request.done or request.priority != priority:
            return True
        if not request.wanted:
            self._open.pop(request.key, None)
            request.done = True
            return True
        return False

    def _score_round(self, requests: list[Request]) -> None:
        priority = requests[0].priority
        for job in {wish.job for request in requests for wish in request.wishes}:
            job.start()
        left = set(requests)
        try:
            for positions, output in self._outcomes(requests, self._stopper(left, priority)):
                batch = [requests[position] for position in positions]
                left.difference_update(batch)
                self._finish(batch, output)
        except Exception as error:  # noqa: BLE001 - one round must not end the thread
            self._finish(list(left), error)
            left.clear()
        self._put_back([request for request in requests if request in left], priority)
        self._round_jobs = set()

    def _stopper(self, left: set[Request], priority: int) -> Callable[[], bool]:
        def should_stop() -> bool:
            if self._closed or any(self._live[:priority]):
                return True
            if priority == 2 and self._bulk_arrived:
                return True  # plan again, so that the new job gets its share
            return not all(request.wanted for request in left)

        return should_stop

    def _outcomes(
        self, requests: Sequence[Request], should_stop: Callable[[], bool]
    ) -> Iterable[Outcome]:
        model = requests[0].model
        payloads = [request.payload for request in requests]
        if isinstance(model, ConversationRewardModel):
            return score_conversations(model, cast(Any, payloads), should_stop=should_stop)
        # Not at the top: it imports PyTorch, which models of other kinds do without.
        from core.engine.scoring import reuses_prefixes, score_sequences

        token_model = cast(TokenRewardModel, model)
        few = len(requests) <= WARM_SESSIONS
        if requests[0].priority == 0 and few and reuses_prefixes(token_model):
            return self._live_outcomes(token_model, requests, should_stop)
        return score_sequences(
            token_model, cast(Any, payloads), should_stop=should_stop, yielding=self._is_typed_to
        )

    def _is_typed_to(self) -> bool:
        return time.monotonic() - self._last_live < TYPING_S

    def _live_outcomes(
        self,
        model: "CausalRewardModel",
        requests: Sequence[Request],
        should_stop: Callable[[], bool],
    ) -> Iterable[Outcome]:
        """Each live edit on its own, from the first token that changed since the last one."""
        from core.engine.scoring import live_reward

        for position, request in enumerate(requests):
            if should_stop():
                return
            key = (model.fingerprint, request.wishes[0].job.session)
            try:
                output, state = live_reward(
                    model, self._warm.pop(key, None), cast(TokenSequence, request.payload)
                )
            except Exception as error:  # noqa: BLE001 - a failing request fails alone
                yield [position], error
                continue
            with self._changed:
                self._warm[key] = state
                while len(self._warm) > WARM_SESSIONS:
                    self._warm.popitem(last=False)
            yield [position], output

    def _finish(self, batch: Sequence[Request], output: ModelOutput | Exception) -> None:
        """Keeps the results of one batch and hands them to everyone who waits for them."""
        results = [_result(output, position) for position in range(len(batch))]
        values = {
            request.key: result
            for request, result in zip(batch, results, strict=True)
            if isinstance(result, tuple)
        }
        live = bool(batch) and batch[0].priority == 0
        if self._cache is not None and not live:
            # Before anyone hears of it: a process that ends right after its job has lost nothing.
            self._cache.put_many(values)
        with self._changed:
            for key, value in values.items():
                self._memo[key] = value
            while len(self._memo) > MEMO_SIZE:
                self._memo.popitem(last=False)
            for request in batch:
                request.done = True
                self._open.pop(request.key, None)
        _hand_out(batch, results)
        if self._cache is not None and live:
            self._cache.put_many(values)

    def _put_back(self, requests: Sequence[Request], priority: int) -> None:
        with self._changed:
            for request in reversed(requests):
                if request.priority != priority:
                    continue  # it became urgent meanwhile, and waits in that queue already
                if priority < 2:
                    self._live[priority].appendleft(request)
                    continue
                job = request.wishes[0].job
                self._bulk.setdefault(job, deque()).appendleft(request)


def _result(output: ModelOutput | Exception, position: int) -> Values | str:
    """The values at one position, or the error as text."""
    if isinstance(output, Exception):
        return in_one_line(output)
    if output.errors and output.errors[position]:
        return output.errors[position]
    reward = float(output.rewards[position])
    objectives = () if output.objectives is None else tuple(map(float, output.objectives[position]))
    if not np.isfinite([reward, *objectives]).all():
        return f"The model returned {reward}, which is not a finite reward."
    return (reward, *objectives)


def _hand_out(batch: Sequence[Request], results: Sequence[Values | str]) -> None:
    rows: dict[ScoreJob, list[ScoreRow]] = defaultdict(list)
    for request, result in zip(batch, results, strict=True):
        for wish in request.wishes:
            rows[wish.job].append(make_row(request.model, wish, result, cached=False))
    for job, job_rows in sorted(rows.items(), key=lambda item: priority_of(item[0])):
        job.deliver(job_rows)


def _deliver(model: RewardModel, wishes: Sequence[Wish], values: Values, *, cached: bool) -> None:
    for wish in wishes:
        wish.job.deliver([make_row(model, wish, values, cached=cached)])


def make_row(model: RewardModel, wish: Wish, result: Values | str, *, cached: bool) -> ScoreRow:
    """The row a wish asked for, from the stored values or from an error's text."""
    place = (wish.job.model, wish.index)
    size = (wish.n_tokens, wish.n_cut)
    if isinstance(result, str):
        return ScoreRow(*place, float("nan"), *size, error=result)
    names = [objective.name for objective in model.card.reward.objectives]
    objectives = tuple(zip(names, result[1:], strict=False))
    return ScoreRow(*place, result[0], *size, cached, objectives=objectives)
