"""The conformance check: is the number on screen the model's number?

Most wrong rewards come from how a conversation was fed to a sound model: padding, a doubled
beginning-of-text token, silent truncation, a random head. Each is tried once on a small probe set
when a model is first used. It lives beside the engine because it tries templating, batching and
prefix reuse together, as every page uses them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from core.engine.scoring import live_reward, reuses_prefixes, score_sequences
from core.engine.templating import EncodedConversation, encode
from core.errors import WorkbenchError
from core.models.base import (
    Capability,
    ConversationRewardModel,
    FloatArray,
    ModelOutput,
    RewardModel,
    TokenRewardModel,
)
from core.schema import Message, make_conversation

Verdict = Literal["holds", "fails", "not applicable"]

EXACT_TOLERANCE = 1e-4
"""Largest reward change allowed in float32, on rewards of ordinary size."""

NOISE_SHARE = 0.25
"""In reduced precision, the largest noise allowed as a share of the probe rewards' spread."""

PROBES: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("What is the capital of France?", "Bananas are best stored at room temperature."),
    ("Name three primary colours.", "Red, yellow and blue."),
    (
        "How do I boil an egg?",
        "Put the egg into boiling water and wait: six minutes for a soft yolk, ten for a firm "
        "one. Then cool it under cold water, which stops the cooking and makes it easy to peel.",
    ),
    ("Say hello.", "Hello!"),
    ("What is 12 times 12?", "12 times 12 is 144."),
)
GOOD_BAD = (0, 1)
"""Positions in the probe set of an obviously good and an obviously bad answer to one prompt."""


@dataclass(frozen=True)
class Check:
    """One line of the report: what was tried, how it ended, what to do about a failure."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class ConformanceReport:
    """What the check found.

    Attributes:
        lines: one check each.
        noise_floor: largest change of a probe's reward from batching, padding or reuse alone.
        probe_spread: standard deviation of the probe rewards, to hold the noise against.
        seconds: how long the check took.
    """

    model: str
    fingerprint: str
    lines: tuple[Check, ...]
    noise_floor: float
    probe_spread: float
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether no line fails."""
        return all(line.verdict != "fails" for line in self.lines)


def check_model(model: RewardModel) -> ConformanceReport:
    """Runs every check that applies to the model; takes a few forward passes.

    The caller must have the model to itself.
    """
    started = time.monotonic()
    lines: Sequence[Check]
    if isinstance(model, TokenRewardModel):
        lines, noise, spread = _TokenChecks(model).run()
    elif Capability.REMOTE in model.capabilities:
        # Not at the top: it stands on this module.
        from core.engine.remote_conformance import check_remote
        from core.models.remote.model import RemoteRewardModel

        lines, noise, spread = check_remote(cast(RemoteRewardModel, model))
    elif isinstance(model, ConversationRewardModel):
        lines, noise, spread = _check_conversation_model(model)
    else:
        lines, noise, spread = (), 0.0, 0.0
    return ConformanceReport(
        model=model.card.id,
        fingerprint=model.fingerprint,
        lines=tuple(lines),
        noise_floor=noise,
        probe_spread=spread,
        seconds=time.monotonic() - started,
    )


def probe_conversations() -> list[list[Message]]:
    """The conversations every model is tried on."""
    return [make_conversation(prompt, response) for prompt, response in PROBES]


class _TokenChecks:
    def __init__(self, model: TokenRewardModel) -> None:
        self._model = model
        self._encoded = [encode(model, conversation) for conversation in probe_conversations()]
        self._sequences = [encoded.sequence for encoded in self._encoded]
        self._alone = np.concatenate([model.rewards([s]).rewards for s in self._sequences])
        self._spread = float(self._alone.std())
        precision = getattr(model, "precision", None)
        reduced = precision is not None and precision.is_reduced
        size = max(1.0, float(np.abs(self._alone).max()))
        self._tolerance = NOISE_SHARE * self._spread if reduced else EXACT_TOLERANCE * size
        self._noise = 0.0

    def run(self) -> tuple[list[Check], float, float]:
        lines = [
            self._finite(),
            self._repeat(),
            self._batch(),
            self._order(),
            self._sides(),
            self._reuse(),
            self._bos(),
            self._padding(),
            self._truncation(),
            self._sign(),
            self._fixtures(),
        ]
        return lines, self._noise, self._spread

    def _compare(self, name: str, rewards: FloatArray, what: str, fix: str) -> Check:
        change = float(np.abs(rewards - self._alone).max())
        self._noise = max(self._noise, change)
        holds = bool(change <= self._tolerance)
        detail = f"{what} moved a reward by at most {change:.2g} (allowed: {self._tolerance:.2g})."
        return Check(name, "holds" if holds else "fails", detail, "" if holds else fix)

    def _finite(self) -> Check:
        if bool(np.isfinite(self._alone).all()) and self._spread > 0:
            detail = f"{len(self._alone)} probes spread by {self._spread:.3g}."
            return Check("rewards are finite and differ", "holds", detail)
        return Check(
            "rewards are finite and differ",
            "fails",
            f"Probe rewards: {np.array2string(self._alone, precision=4)}.",
            "Try dtype float32 in the card; check that the head is the trained one.",
        )

    def _repeat(self) -> Check:
        again = np.concatenate([self._model.rewards([s]).rewards for s in self._sequences])
        fix = "The model is not deterministic: make sure that dropout is off."
        return self._compare("the same text twice", again, "Scoring again", fix)

    def _batch(self) -> Check:
        if self._model.pad_id is None:
            return Check(
                "alone against a mixed-length batch",
                "not applicable",
                "The model has no padding token and is scored one conversation at a time.",
                "Name a padding token in the card to score in batches.",
            )
        together = self._model.rewards(self._sequences).rewards
        fix = "Use dtype float32, or set the padding token to the one used in training."
        name = "alone against a mixed-length batch"
        return self._compare(name, together, "A batch of all probes", fix)

    def _order(self) -> Check:
        rewards = np.full(len(self._sequences), np.nan)
        flipped = self._sequences[::-1]
        for positions, output in score_sequences(self._model, flipped, reuse_prefixes=False):
            if isinstance(output, ModelOutput):
                rewards[[len(flipped) - 1 - p for p in positions]] = output.rewards
        fix = "Rewards depend on neighbours in the batch: score this model one at a time."
        return self._compare("order within the batch", rewards, "Reversing the order", fix)

    def _sides(self) -> Check:
        name = "padding on either side"
        sides = self._model.padding_sides
        if self._model.pad_id is None or len(sides) < 2:
            detail = "This model is only ever padded on the right, or not at all."
            return Check(name, "not applicable", detail)
        other = self._model.rewards(self._sequences, padding_side="left").rewards
        fix = "The model reads its reward from a fixed place: keep padding.side right."
        return self._compare(name, other, "Padding on the left", fix)

    def _reuse(self) -> Check:
        name = "reuse of a beginning"
        model = self._model
        if not reuses_prefixes(model):
            return Check(name, "not applicable", "This kind of model reads every text whole.")
        rewards, state = [], None
        for sequence in self._sequences:
            output, state = live_reward(model, state, sequence)
            rewards.append(output.rewards[0])
        fix = "Set attention to eager in the card, or report the model."
        return self._compare(name, np.array(rewards), "Continuing from the last text", fix)

    def _bos(self) -> Check:
        counts = {encoded.bos_count for encoded in self._encoded}
        name = "one beginning-of-text token"
        token = self._model.tokenizer.bos_token
        if max(counts) <= 1:
            return Check(name, "holds", f"{max(counts)} at the start ({token!r}).")
        return Check(
            name,
            "fails",
            f"{max(counts)} times {token!r} at the start.",
            "Set input.bos to 'add' or 'template' in the card, whichever leaves one.",
        )

    def _padding(self) -> Check:
        name = "padding token apart from the text"
        pad = self._model.pad_id
        if pad is None:
            return Check(name, "not applicable", "No padding token: one conversation at a time.")
        token = self._model.tokenizer.convert_ids_to_tokens(pad)
        if any(pad in sequence.ids for sequence in self._sequences):
            return Check(
                name,
                "fails",
                f"{token!r} pads, and also occurs in the text: the reward is read before it.",
                "Name another padding.token in the card, unless the model was trained this way.",
            )
        return Check(name, "holds", f"{token!r} pads and does not occur in the rendered text.")

    def _truncation(self) -> Check:
        name = "too long a text is cut and said so"
        words = "word " * (self._model.card.max_length + 50)
        long = encode(self._model, make_conversation("Count.", words))
        limit = self._model.card.max_length
        if _is_cut_right(long, limit):
            detail = f"Cut to {limit} tokens; {long.n_cut} cut tokens reported."
            return Check(name, "holds", detail)
        return Check(
            name,
            "fails",
            f"{long.n_tokens} tokens went in where {limit} fit.",
            "Check max_length in the card against the model's configuration.",
        )

    def _sign(self) -> Check:
        name = "a good answer beats a bad one"
        good, bad = (float(self._alone[i]) for i in GOOD_BAD)
        detail = f"Right answer {good:.3g}, answer to another question {bad:.3g}."
        if good > bad:
            return Check(name, "holds", detail)
        return Check(
            name,
            "fails",
            detail,
            "A cost model needs reward.sign -1; otherwise the head may be random or the template "
            "wrong.",
        )

    def _fixtures(self) -> Check:
        name = "published reward"
        fixtures = self._model.card.fixtures
        if not fixtures:
            return Check(name, "not applicable", "The card has no published example.")
        worst, lines = 0.0, []
        for fixture in fixtures:
            encoded = encode(self._model, list(fixture.messages))
            reward = float(self._model.rewards([encoded.sequence]).rewards[0])
            worst = max(worst, abs(reward - fixture.reward) / fixture.tolerance)
            lines.append(f"{reward:.4g} where {fixture.reward:.4g} was published")
        if worst <= 1:
            return Check(name, "holds", "; ".join(lines) + ".")
        fix = "Check revision, dtype and template; compare the exact model view with the source."
        return Check(name, "fails", "; ".join(lines) + ".", fix)


def _is_cut_right(encoded: EncodedConversation, limit: int) -> bool:
    return encoded.n_tokens <= limit and encoded.n_cut > 0 and bool(encoded.warnings)


def _check_conversation_model(
    model: ConversationRewardModel,
) -> tuple[Sequence[Check], float, float]:
    conversations = probe_conversations()
    try:
        one_by_one = ModelOutput.concatenate(
            [model.conversation_rewards([c]) for c in conversations]
        )
        together = model.conversation_rewards(conversations[::-1]).rewards[::-1]
    except WorkbenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        failed = Check("rewards the probe texts", "fails", f"It raised {error!r}.")
        return (failed,), float("nan"), float("nan")
    alone = one_by_one.rewards
    refused = [error for error in one_by_one.errors if error]
    if refused and Capability.REWARD not in model.capabilities:
        return (Check("rewards the probe texts", "not applicable", refused[0]),), 0.0, 0.0
    if refused:
        detail = f"{len(refused)} of {len(alone)} texts have no reward. The first: {refused[0]}"
        return (Check("rewards the probe texts", "fails", detail),), float("nan"), float("nan")
    noise = float(np.abs(together - alone).max())
    verdict: Verdict = "holds" if noise <= EXACT_TOLERANCE else "fails"
    detail = f"A batch in reverse order moved a reward by at most {noise:.2g}."
    lines = [
        Check("alone against a batch in another order", verdict, detail),
        Check("padding, truncation, prefix reuse", "not applicable", "It reads no tokens."),
    ]
    return lines, noise, float(alone.std())
