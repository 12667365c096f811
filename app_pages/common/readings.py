"""What each chosen model says about the conversation on screen, as far as it is known by now."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from app_pages.common.service import conformance, reference_rewards, reward_service
from core.engine.conformance import ConformanceReport
from core.engine.jobs import ScoreJob, ScoreRow
from core.reference import Standing, standing
from core.schema import Message, content_id
from core.versions import Version

WAIT_S = 1.5
"""Longest time a script waits for rewards before it shows what there is and looks again later."""

RETRY_S = 20.0
"""How long a model that did not load is left alone."""


@dataclass(frozen=True)
class Reading:
    """One model's view of the conversation.

    Attributes:
        model: the model's id.
        state: scored, waiting (loading or computing) or failed.
        reward: NaN unless scored.
        baseline: reward of the pinned baseline by the same model, NaN while unknown.
        n_tokens: tokens read.
        n_cut: tokens that truncation removed.
        error: why it failed.
        noise_floor: largest reward change that batching alone makes, None until measured.
        report: the conformance report, None until there.
        report_error: why there is no report.
        standing: where the reward stands among the reference responses, None until measured.
        objectives: name and value of each objective, for multi-objective models.
    """

    model: str
    state: Literal["scored", "waiting", "failed"]
    reward: float = math.nan
    baseline: float = math.nan
    n_tokens: int = 0
    n_cut: int = 0
    error: str = ""
    noise_floor: float | None = None
    report: ConformanceReport | None = None
    report_error: str = ""
    standing: Standing | None = None
    objectives: tuple[tuple[str, float], ...] = ()

    @property
    def change(self) -> float | None:
        """Reward minus the baseline's, or None while either is unknown."""
        change = self.reward - self.baseline
        return change if math.isfinite(change) else None

    @property
    def is_noise(self) -> bool:
        """Whether the change is too small to mean anything."""
        floor = self.noise_floor or 0.0
        return self.change is not None and abs(self.change) <= floor

    @property
    def complete(self) -> bool:
        """Whether nothing more is to come for this text."""
        measured = self.report is not None or bool(self.report_error)
        return self.state == "failed" or (
            self.state == "scored" and measured and self.standing is not None
        )


@dataclass
class SessionJobs:
    """A session's newest job for each model and purpose: looking again starts nothing anew."""

    session: str
    jobs: dict[tuple[str, str], tuple[str, ScoreJob]] = field(default_factory=dict)
    failures: dict[str, tuple[float, ScoreJob]] = field(default_factory=dict)

    def job(
        self, model: str, purpose: str, conversation: Sequence[Message], *, live: bool = True
    ) -> ScoreJob:
        """The job that scores this conversation for this purpose, started unless it is there.

        A newer live one for the same model and purpose takes the place of one that waits.
        """
        known_key, known = self.jobs.get((model, purpose), ("", None))
        if known is not None and known.state == "failed":
            self.failures.setdefault(model, (time.monotonic(), known))
        failed = self._recent_failure(model)
        if failed is not None:
            return failed
        key = content_id(list(conversation))
        if known is not None and known_key == key and known.state not in ("stopped", "failed"):
            return known
        session = f"{self.session}/{purpose}" if live else None
        job = reward_service().submit(model, [list(conversation)], live=live, session=session)
        self.jobs[model, purpose] = (key, job)
        return job

    def _recent_failure(self, model: str) -> ScoreJob | None:
        """The job that found out that the model does not load: no keystroke loads it again."""
        since, failed = self.failures.get(model, (0.0, None))
        if failed is None or time.monotonic() - since < RETRY_S:
            return failed
        del self.failures[model]
        self.jobs = {key: known for key, known in self.jobs.items() if key[0] != model}
        return None

    def versions(self, model: str, versions: Sequence[Version]) -> tuple[dict[int, float], bool]:
        """Rewards of versions, as far as they are there, and whether some are to come."""
        rewards, waiting = {}, False
        for version in versions:
            job = self.job(model, f"v{version.id}", version.messages, live=False)
            rows = job.rows()
            if rows and not rows[0].error:
                rewards[version.id] = rows[0].reward
            waiting = waiting or not job.finished
        return rewards, waiting


def read_rewards(
    models: Sequence[str],
    conversation: Sequence[Message],
    baseline: Sequence[Message] | None,
    *,
    jobs: SessionJobs,
    wait_s: float = WAIT_S,
) -> list[Reading]:
    """What the models say about the conversation, in the order of `models`.

    Waits for rewards at most `wait_s`; a model that is slower comes back as waiting, keeps
    working, and is picked up by the next call with the same conversation.

    Args:
        models: ids.
        conversation: a checked conversation.
        baseline: the conversation changes are measured against, or None.
        jobs: the session's open jobs.
        wait_s: longest time to wait, in seconds.
    """
    current = {model: jobs.job(model, "edit", conversation) for model in models}
    pinned = {}
    if baseline is not None:
        pinned = {model: jobs.job(model, "baseline", baseline) for model in models}
    deadline = time.monotonic() + wait_s
    for job in [*current.values(), *pinned.values()]:
        job.wait(max(0.0, deadline - time.monotonic()))
    return [_reading(model, job, pinned.get(model)) for model, job in current.items()]


def _reading(model: str, job: ScoreJob, pinned: ScoreJob | None) -> Reading:
    rows = job.rows()
    if not rows:
        return Reading(model, "failed" if job.finished else "waiting", error=_job_error(job))
    if rows[0].error:
        return Reading(model, "failed", error=rows[0].error, n_tokens=rows[0].n_tokens)
    baseline = pinned.rows() if pinned is not None else []
    return _scored(model, rows[0], baseline[0].reward if baseline else math.nan)


def _scored(model: str, row: ScoreRow, baseline: float) -> Reading:
    checked = conformance(model)
    report = checked.value if checked.state == "done" else None
    reference = reference_rewards(model)
    rewards = reference.value if reference.state == "done" else None
    return Reading(
        model,
        "scored",
        reward=row.reward,
        baseline=baseline,
        n_tokens=row.n_tokens,
        n_cut=row.truncated,
        noise_floor=_floor(report),
        report=report,
        report_error=checked.error,
        standing=None if rewards is None else standing(row.reward, rewards),
        objectives=row.objectives,
    )


def _floor(report: ConformanceReport | None) -> float | None:
    """The measured noise floor; None before it is measured and where it could not be."""
    return report.noise_floor if report is not None and math.isfinite(report.noise_floor) else None


def _job_error(job: ScoreJob) -> str:
    if job.error is not None:
        return str(job.error)
    return "A newer edit took this one's place." if job.finished else ""
