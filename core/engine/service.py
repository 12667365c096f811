"""The reward service: one object a process, safe to call from any thread, that gives rewards.

It looks into the cache, merges the requests of all callers into batches for each model, puts live
edits before bulk work, streams what is done, and keeps models within a memory budget. How a request
travels: `submit` -> intake (a thread for each model: load, encode, cache) -> worker (a thread for
each set of shared weights: batches) -> job.
"""

import atexit
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from core.engine.cache import CACHE_FILE, RewardCache
from core.engine.intake import Intake
from core.engine.jobs import Progress, ScoreJob, rows_frame
from core.engine.reports import ReportStore
from core.engine.residency import Residency, ResidentModel, card_bytes, default_budget_bytes
from core.engine.templating import EncodedConversation, encode
from core.engine.threads import CPU_WORKER, in_passing_thread, worker_name
from core.engine.worker import Worker
from core.errors import ScoringError, WorkbenchError
from core.models.base import Capability, RewardModel, TokenRewardModel
from core.models.card import AdapterSource
from core.models.catalogue import load_card
from core.paths import cache_folder
from core.schema import Conversation
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.engine.conformance import ConformanceReport

PROGRESS_EVERY_S = 0.2
CLOSE_TIMEOUT_S = 5.0

T = TypeVar("T")


class RewardService:
    """Gives the rewards of conversations by any number of models.

    Args:
        loader: loads a model by the name a caller gave; by default `core.models.load`.
        resolve: the id under which a name's model is kept, so that a hub id and its card are one.
        expected_bytes: estimate of a model's memory by name, 0 where it is unknown.
        cache: where rewards are kept; None keeps none beyond the latest in memory.
        report_folder: where conformance reports are kept; None keeps them in memory.
        budget_bytes: memory all models may take; by default a share of the machine's.
        settings: the operator's settings (device, memory budget, threads).
    """

    def __init__(
        self,
        *,
        loader: Callable[[str], RewardModel] | None = None,
        resolve: Callable[[str], str] | None = None,
        expected_bytes: Callable[[str], int] | None = None,
        cache: RewardCache | None = None,
        report_folder: Path | None = None,
        budget_bytes: int | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self._load = loader or self._load_by_card
        own = loader is None
        self._resolve = resolve or (_card_id if own else lambda name: name)
        estimate = expected_bytes or (_card_bytes if own else lambda _name: 0)
        self._cache = cache
        self._reports = ReportStore(report_folder)
        self._lock = threading.Lock()
        self._asked: dict[str, str] = {}
        self._intakes: dict[str, Intake] = {}
        self._workers: dict[str, Worker] = {}
        self._jobs: weakref.WeakSet[ScoreJob] = weakref.WeakSet()
        self._latest: weakref.WeakValueDictionary[tuple[str, str], ScoreJob] = (
            weakref.WeakValueDictionary()
        )
        self._closed = False
        budget = budget_bytes if budget_bytes is not None else _budget(self.settings)
        self._residency = Residency(
            lambda model_id: self._load(self._asked.get(model_id, model_id)),
            budget,
            on_unload=self._after_unload,
            expected_bytes=lambda model_id: estimate(self._asked.get(model_id, model_id)),
        )

    def register(self, model: RewardModel) -> None:
        """Adds a model made elsewhere, under its card's id; an older one of that id is replaced."""
        self._residency.unload(model.card.id)
        self._residency.register(model)

    def model(self, name: str) -> RewardModel:
        """The model, loaded first if need be (blocking).

        Raises:
            WorkbenchError: why it cannot be loaded.
        """
        model_id = self._model_id(name)
        model = self._residency.acquire(model_id)
        self._residency.release(model_id)
        return model

    def encode(self, name: str, conversation: Conversation) -> EncodedConversation:
        """What the model reads of a conversation, its tokens and where each word went.

        Raises:
            ConversationError: when it is not a conversation, or the template refuses it.
            ScoringError: when the model reads no tokens.
        """
        return encode(self._token_model(name), conversation)

    def submit(
        self,
        name: str,
        conversations: Sequence[Conversation],
        *,
        live: bool = False,
        session: str | None = None,
    ) -> ScoreJob:
        """Hands conversations to a model and returns at once.

        Args:
            live: someone waits for it while typing: goes before bulk work.
            session: with `live`, replaces a job of the same session and model that still waits.
        """
        texts = list(conversations)
        job = ScoreJob(name, len(texts), live=live, session=session)
        model_id = self._model_id(name)
        with self._lock:
            if self._closed:
                raise ScoringError("The reward service is closed.")
            self._jobs.add(job)
            older = None
            if live and session is not None:
                older = self._latest.get((session, model_id))
                self._latest[(session, model_id)] = job
            intake = self._intakes.get(model_id)
            if intake is None and texts:
                intake = self._intakes[model_id] = Intake(
                    model_id,
                    acquire=self._residency.acquire,
                    release=self._residency.release,
                    worker_of=self._worker_of,
                    cache=self._cache,
                )
        if older is not None and older.state == "queued":
            older.cancel()
        if intake is not None and texts:
            intake.add(job, texts)
        return job

    def score(
        self,
        models: str | Sequence[str],
        conversations: Sequence[Conversation],
        *,
        live: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> pd.DataFrame:
        """Rewards of all conversations by all models, in long form.

        Args:
            models: one name or several.
            live: go before bulk work.
            progress: called a few times a second, and at the end.

        Returns:
            One row for each model and conversation: columns `model`, `index` (position in the
            input), `reward` (NaN on error), `n_tokens`, `truncated` (tokens cut), `cached`,
            `error` ("" if none), and `objective_<name>` for models with several objectives.
        """
        names = [models] if isinstance(models, str) else list(models)
        texts = list(conversations)
        jobs = [self.submit(name, texts, live=live) for name in names]
        report = progress or (lambda _progress: None)
        try:
            for job in jobs:
                while not job.wait(PROGRESS_EVERY_S):
                    report(Progress.of([each.progress() for each in jobs]))
        except BaseException:
            for job in jobs:
                job.cancel()
            raise
        report(Progress.of([job.progress() for job in jobs]))
        return rows_frame([row for job in jobs for row in job.rows()])

    def known_rewards(self, keys: Sequence[bytes]) -> list[bool]:
        """Which of these cache keys have a reward already."""
        known = self._cache.get_many(keys) if self._cache else {}
        return [key in known for key in keys]

    def exclusive(self, name: str, function: Callable[[RewardModel], T]) -> T:
        """The result of `function(model)`, run between two batches with the model to itself.

        For what is not a reward of a conversation: gradients, the conformance check.
        """
        return self._call(name, function, urgent=True).result()

    def conformance(self, name: str) -> "ConformanceReport":
        """The model's conformance report: checked once, then kept by model hash (blocking).

        Raises:
            WorkbenchError: why the model cannot be loaded.
        """
        known = self._reports.get(self.model(name))
        return known or self.exclusive(name, self._check)

    def recheck(self, name: str) -> "ConformanceReport":
        """The report of a check made now, whatever is kept; a remote model connects anew.

        Raises:
            WorkbenchError: why the model cannot be loaded.
        """
        model = self.model(name)
        self._reports.forget(model)
        if Capability.REMOTE in model.capabilities:
            self.unload(name)
        return self.conformance(name)

    def resident(self) -> list[ResidentModel]:
        """The models in memory, most recently used first."""
        return self._residency.resident()

    def unload(self, name: str) -> bool:
        """Drops a model from memory; False when it is in use or not there."""
        return self._residency.unload(self._model_id(name))

    def close(self) -> None:
        """Stops every job after the batch in flight and ends all threads."""
        with self._lock:
            self._closed = True
            jobs, intakes = list(self._jobs), list(self._intakes.values())
        for job in jobs:
            job.cancel()
        for intake in intakes:
            intake.close(CLOSE_TIMEOUT_S)
        with self._lock:
            workers = list(self._workers.values())
            self._workers.clear()
        for worker in workers:
            worker.close(CLOSE_TIMEOUT_S)

    def _check(self, model: RewardModel) -> "ConformanceReport":
        from core.engine.conformance import check_model

        known = self._reports.get(model)  # another caller may have been first
        if known is None:
            known = check_model(model)
            self._reports.put(model, known)
        return known

    def _call(
        self, name: str, function: Callable[[RewardModel], T], *, urgent: bool
    ) -> "Future[T]":
        model_id = self._model_id(name)
        model = self._residency.acquire(model_id)
        try:
            future = self._worker_of(model).call(lambda: function(model), urgent=urgent)
        except BaseException:
            self._residency.release(model_id)
            raise
        future.add_done_callback(lambda _future: self._residency.release(model_id))
        return future

    def _token_model(self, name: str) -> TokenRewardModel:
        model = self.model(name)
        if not isinstance(model, TokenRewardModel):
            raise ScoringError(f"{name} reads conversations as they are: it has no tokens to show.")
        return model

    def _model_id(self, name: str) -> str:
        try:
            model_id = self._resolve(name)
        except WorkbenchError:
            return name  # loading it will say what is wrong
        self._asked.setdefault(model_id, name)
        return model_id

    def _worker_of(self, model: RewardModel) -> Worker:
        with self._lock:
            name = worker_name(model)
            worker = self._workers.get(name)
            if worker is None:
                worker = self._workers[name] = Worker(name, self._cache)
            return worker

    def _after_unload(self, model: RewardModel) -> None:
        idle = None
        with self._lock:
            name = worker_name(model)
            worker = self._workers.get(name)
            still_used = name == CPU_WORKER or self._residency.holds(model.residence)
            if worker is not None and not still_used:
                idle = self._workers.pop(name)
        if idle is not None:
            idle.close(0)
        elif worker is not None:
            worker.forget(model.fingerprint)

    def _load_by_card(self, name: str) -> RewardModel:
        from core import models

        if self.settings.threads is not None:
            import torch

            torch.set_num_threads(self.settings.threads)
        return in_passing_thread(lambda: models.load(name, device=self.settings.device))


_service: RewardService | None = None
_service_lock = threading.Lock()


def get_service() -> RewardService:
    """The process's service, made on first use from the operator's settings."""
    global _service  # noqa: PLW0603
    with _service_lock:
        if _service is None:
            settings = load_settings()
            cache = RewardCache(cache_folder() / CACHE_FILE, settings.cache_max_mb * 1024**2)
            reports = cache_folder() / "conformance"
            _service = RewardService(cache=cache, report_folder=reports, settings=settings)
            # A thread that is computing while the interpreter goes away would crash it.
            atexit.register(_service.close)
        return _service


def _card_id(name: str) -> str:
    return load_card(name).id


def _card_bytes(name: str) -> int:
    try:
        card = load_card(name)
    except WorkbenchError:
        return 0
    # An adapter's base may be there already.
    return 0 if isinstance(card.source, AdapterSource) else card_bytes(card)


def _budget(settings: Settings) -> int:
    if settings.memory_budget_gb is not None:
        return int(settings.memory_budget_gb * 1024**3)
    return default_budget_bytes(settings.device)
