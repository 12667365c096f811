"""The conformance check of a model behind a server: is what comes back the model's own number?

What goes wrong there differs from a local model: values are squashed, texts are cut without a word,
a beginning-of-text token is doubled, results come in another order, and the server's own batches
carry the rounding of its number format.
"""

import math
from collections.abc import Sequence

import numpy as np

from core.engine.conformance import (
    EXACT_TOLERANCE,
    GOOD_BAD,
    NOISE_SHARE,
    Check,
    Verdict,
    probe_conversations,
)
from core.models.base import FloatArray
from core.models.remote.activation import ActivationProbe
from core.models.remote.model import RemoteReading, RemoteRewardModel
from core.models.remote.openai import LEAST_MASS
from core.schema import Conversation, make_conversation

DETERMINISTIC_FIX = (
    "The server answers differently each time: look for sampling or dropout, or several replicas "
    "with different weights behind one address."
)
NUMBER_FORMAT_FIX = (
    "The server's number format rounds too coarsely for batches of this model: start it with "
    "float32 (vLLM and text-embeddings-inference: --dtype float32), or lower concurrency."
)


def check_remote(model: RemoteRewardModel) -> tuple[list[Check], float, float]:
    """Every check of a remote model: lines, noise floor, spread of the probes' rewards.

    Asks the server for some fifty short texts, and one that is too long.
    """
    return _RemoteChecks(model).run()


ACTIVATION_LINE = "raw against activated values"
UNCLEAR_START = "Perhaps activated"


class _RemoteChecks:
    def __init__(self, model: RemoteRewardModel) -> None:
        self._model = model
        self._texts = probe_conversations()
        self._readings = [model.read_all([text])[0] for text in self._texts]
        self._alone = np.array([reading.reward for reading in self._readings])
        finite = self._alone[np.isfinite(self._alone)]
        self._spread = float(finite.std()) if len(finite) else float("nan")
        size = max(1.0, float(np.abs(finite).max())) if len(finite) else 1.0
        exact = model.identity.dtype == "float32"
        share = EXACT_TOLERANCE * size if exact else NOISE_SHARE * self._spread
        self._tolerance = max(EXACT_TOLERANCE * size, share)
        self._noise = 0.0

    def run(self) -> tuple[list[Check], float, float]:
        # A server may have been restarted with other options since the model was loaded.
        probe = self._model.look_at_activation()
        lines = [
            self._finite(),
            _activation(self._model, probe),
            self._known(),
            self._repeat(),
            self._batch(),
            self._order(),
            self._tokens(),
            self._truncation(),
            self._recovered(),
            self._verdict_words(),
            self._sign(),
            self._fixtures(),
        ]
        return lines, self._noise, self._spread

    def _finite(self) -> Check:
        name = "rewards are finite and differ"
        errors = [reading.error for reading in self._readings if reading.error]
        if errors:
            said = f"{len(errors)} of {len(self._readings)} probes have none. {errors[0]}"
            return Check(name, "fails", said, "See the reason; the card or the server is wrong.")
        if bool(np.isfinite(self._alone).all()) and self._spread > 0:
            detail = f"{len(self._alone)} probes spread by {self._spread:.3g}."
            return Check(name, "holds", detail)
        return Check(
            name,
            "fails",
            f"Probe rewards: {np.array2string(self._alone, precision=4)}.",
            "Values that are all the same come from a softmax over one class, a saturated sigmoid "
            "or a random head: see the next line.",
        )

    def _known(self) -> Check:
        name = "the same model as before"
        remembered = self._model.remembered
        if remembered is None or not remembered.is_other:
            return Check(name, "holds", "No other was seen under this card and address.")
        return Check(
            name,
            "holds",
            "It gives other values than at the last connection: the server has another model or "
            "other options by now. Rewards kept from then are not used for it.",
        )

    def _repeat(self) -> Check:
        again = np.array([self._model.read_all([text])[0].reward for text in self._texts])
        return self._compare("the same text twice", again, "Asking again", DETERMINISTIC_FIX)

    def _batch(self) -> Check:
        together = self._rewards(self._texts)
        name = "alone against a batch"
        return self._compare(name, together, "Asking for all probes at once", NUMBER_FORMAT_FIX)

    def _order(self) -> Check:
        flipped = self._rewards(self._texts[::-1])[::-1]
        fix = (
            "Results come back for other texts than were asked: report the engine's version, or "
            "set another remote.route in the card."
        )
        return self._compare("order within the batch", flipped, "Reversing the order", fix)

    def _rewards(self, texts: Sequence[Conversation]) -> FloatArray:
        return np.array([reading.reward for reading in self._model.read_all(texts)])

    def _compare(self, name: str, rewards: FloatArray, what: str, fix: str) -> Check:
        changes = np.abs(rewards - self._alone)
        change = float(changes[np.isfinite(self._alone)].max(initial=0.0))
        lost = int((np.isfinite(self._alone) & ~np.isfinite(rewards)).sum())
        if not np.isfinite(self._alone).any():
            return Check(name, "not applicable", "No probe has a reward to compare.")
        if lost:
            return Check(name, "fails", f"{what} lost {lost} of the rewards.", fix)
        self._noise = max(self._noise, change)
        detail = f"{what} moved a reward by at most {change:.2g} (allowed: {self._tolerance:.2g})."
        holds = change <= self._tolerance
        return Check(name, "holds" if holds else "fails", detail, "" if holds else fix)

    def _tokens(self) -> Check:
        name = "tokens read by the server"
        counted = [r for r in self._readings if r.n_read is not None and r.n_expected is not None]
        if not counted:
            return Check(name, "not applicable", _uncounted(self._model, self._readings))
        differences = {int(r.n_read or 0) - int(r.n_expected or 0) for r in counted}
        if differences == {0}:
            return Check(name, "holds", f"As many as counted here, on {len(counted)} probes.")
        text = ", ".join(f"{difference:+d}" for difference in sorted(differences))
        if differences == {1}:
            fix = (
                "One more each time is a second beginning-of-text token. Set input.bos to 'strip' "
                "in the card, so that only the server adds one."
            )
        else:
            fix = (
                "The server renders or cuts another text than we do: check remote.tokenizer and "
                "input.form in the card, and the server's own chat template."
            )
        return Check(name, "fails", f"Against our own count: {text} tokens.", fix)

    def _truncation(self) -> Check:
        name = "too long a text is cut and said so, or refused"
        model = self._model
        limit = model.identity.max_length or model.card.max_length
        limit = min(limit, model.card.max_length)
        long = make_conversation("Count.", "word " * (limit + 50))
        _, n_cut = model.token_counts(long)
        reading = model.read_all([long])[0]
        if reading.error:
            return Check(name, "holds", f"It has no reward: {reading.error[:200]}")
        if n_cut > 0:
            detail = f"{n_cut} cut tokens are reported with the reward."
            return Check(name, "holds", detail)
        if model.renderer.tokenizer is None and reading.n_read is None:
            return Check(
                name,
                "not applicable",
                f"A text of {limit + 50} words has a reward, and neither side counts tokens.",
                "Name remote.tokenizer in the card, so that what the server cuts is noticed.",
            )
        read = "some" if reading.n_read is None else str(reading.n_read)
        if reading.n_read is not None and reading.n_read >= limit + 50:
            return Check(name, "holds", f"The server takes longer texts: it read {read} tokens.")
        return Check(
            name,
            "fails",
            f"{read} tokens were read of a text of more than {limit + 50}, without a word.",
            "Name remote.tokenizer in the card, and set max_length to what the server reads.",
        )

    def _recovered(self) -> Check:
        name = "undoing the sigmoid"
        if not self._model.undoes_sigmoid:
            return Check(name, "not applicable", "The card asks for raw values.")
        widths = [r.half_width for r in self._readings if math.isfinite(r.half_width)]
        widest = max(widths, default=float("inf"))
        self._noise = max(self._noise, widest)
        holds = len(widths) == len(self._readings) and widest <= NOISE_SHARE * self._spread
        detail = f"The rounding of the probabilities leaves ±{widest:.2g} on the probes' rewards."
        fix = "Have the server return raw values (vLLM: use_activation false in --pooler-config)."
        return Check(name, "holds" if holds else "fails", detail, "" if holds else fix)

    def _verdict_words(self) -> Check:
        name = "the verdict's words are what the model says"
        masses = [r.mass for r in self._readings if r.mass is not None]
        if not masses:
            return Check(name, "not applicable", "The reward is not made of words.")
        least = min(masses)
        holds = least >= LEAST_MASS
        detail = (
            f"Yes and No have {least:.0%} of the probability or more, on {len(masses)} of "
            f"{len(self._readings)} probes (at least {LEAST_MASS:.0%} wanted)."
        )
        fix = "Ask in words this model answers with Yes or No: input.form raw-template."
        return Check(name, "holds" if holds else "fails", detail, "" if holds else fix)

    def _sign(self) -> Check:
        name = "a good answer beats a bad one"
        good, bad = (float(self._alone[position]) for position in GOOD_BAD)
        detail = f"Right answer {good:.3g}, answer to another question {bad:.3g}."
        if not (math.isfinite(good) and math.isfinite(bad)):
            return Check(name, "not applicable", "One of the two has no reward.")
        if good > bad:
            return Check(name, "holds", detail)
        fix = (
            "A cost model needs reward.sign -1; otherwise the template, the label "
            "(remote.label) or the model behind the address may be another than you think."
        )
        return Check(name, "fails", detail, fix)

    def _fixtures(self) -> Check:
        name = "published reward"
        fixtures = self._model.card.fixtures
        if not fixtures:
            return Check(name, "not applicable", "The card has no published example.")
        readings = self._model.read_all([list(fixture.messages) for fixture in fixtures])
        verdict: Verdict = "holds"
        said = []
        for fixture, reading in zip(fixtures, readings, strict=True):
            near = abs(reading.reward - fixture.reward) <= fixture.tolerance
            verdict = verdict if near else "fails"
            said.append(f"{reading.reward:.4g} where {fixture.reward:.4g} was published")
        fix = "Check the template, the activation and which weights the server has."
        return Check(name, verdict, "; ".join(said) + ".", "" if verdict == "holds" else fix)


def _activation(model: RemoteRewardModel, probe: ActivationProbe) -> Check:
    """Whether the values are raw, held against what the card says about them."""
    name = ACTIVATION_LINE
    if model.activation is not None and probe.state != model.activation.state:
        said = f"It was {model.activation.state} when the model was loaded. {probe.detail}"
        return Check(name, "fails", said, "The server has changed: unload the model, check again.")
    if model.undoes_sigmoid:
        if probe.state == "raw":
            fix = "The server can return raw values: set remote.activated to no in the card."
            return Check(name, "fails", probe.detail, fix)
        if probe.state == "constant":
            return Check(name, "fails", probe.detail, _CONSTANT_FIX)
        return Check(name, "holds", f"{probe.detail} The card says so, and the sigmoid is undone.")
    if probe.state == "raw":
        return Check(name, "holds", f"Raw: {probe.detail}")
    if probe.state == "constant":
        return Check(name, "fails", probe.detail, _CONSTANT_FIX)
    if probe.state == "unclear":
        fix = (
            "Compare with the model's own card or with the model loaded here (Parity): where its "
            f"rewards reach beyond 0 to 1, these are squashed. {activation_fix(model)}"
        )
        return Check(name, "fails", f"{UNCLEAR_START}: {probe.detail}", fix)
    return Check(name, "fails", f"Activated: {probe.detail}", activation_fix(model))


def activation_fix(model: RemoteRewardModel) -> str:
    """What to do about a server that squashes rewards."""
    server = {
        "vllm": "Start vLLM with --pooler-config '{\"use_activation\": false}' (older versions "
        'call it "activation"). ',
        "tei": "Use a version that knows raw_scores. ",
    }.get(model.identity.engine, "")
    return (
        f"{server}Where that cannot be had, set remote.activated to sigmoid in the card: the "
        "sigmoid is then undone, with an error that widens towards 0 and 1."
    )


_CONSTANT_FIX = (
    "A softmax over one class is always 1 (SGLang's /v1/classify): set remote.route to classify, "
    "which is raw there. Values of ±1 come from a normalised embedding: serve the model as a "
    "classifier. Else the sigmoid is saturated, or the head is not the trained one."
)


def _uncounted(model: RemoteRewardModel, readings: list[RemoteReading]) -> str:
    if all(reading.n_read is None for reading in readings):
        return "The server does not say how many tokens it read."
    if model.renderer.tokenizer is None:
        return "The card names no remote.tokenizer to count with."
    return "There is nothing to compare."
