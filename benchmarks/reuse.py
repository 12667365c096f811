"""What sharing computed beginnings saves: live edits, and one prompt with many responses."""

from collections.abc import Callable

from benchmarks.bench import Bench, by_engine, distance
from benchmarks.measure import Line, Target, Timings, interleave, median, paired_ratio, percentile
from benchmarks.sample import Composer
from core.engine.scoring import live_reward
from core.models.base import TokenSequence
from core.models.causal import PrefixState

LIVE_PROMPT_TOKENS = 60
EDIT_PLACES = ("start", "middle", "end")
FULL, PEER_FULL = "full forward", "transformers forward"
END_EDIT_TARGET = Target("≤", 0.3)
REUSE_TARGET, PEER_TARGET = Target("≥", 2.5), Target("≥", 1.0)


class _LiveText:
    """A conversation under edit: every change replaces one token of the response."""

    def __init__(self, bench: Bench, composer: Composer) -> None:
        self._model, self._composer = bench.model, composer
        prompt = composer.prompt(LIVE_PROMPT_TOKENS)
        self.sequence = composer.conversation(prompt, bench.options.response_tokens)
        last = len(prompt) + bench.options.response_tokens - 1
        middle = (len(prompt) + last) // 2
        self._places = dict(zip(EDIT_PLACES, (len(prompt), middle, last), strict=True))
        self._state: PrefixState | None = None
        self.reward = self.read()

    def change(self, place: str) -> None:
        """Puts another token at the start, middle or end of the response."""
        ids, position = list(self.sequence.ids), self._places[place]
        others = [word for word in self._composer.take(50) if word != ids[position]]
        ids[position] = others[0]
        self.sequence = TokenSequence(tuple(ids))

    def read(self) -> float:
        """The reward now, from the first changed token on."""
        output, self._state = live_reward(self._model, self._state, self.sequence)
        self.reward = float(output.rewards[0])
        return self.reward


def measure_live(bench: Bench) -> list[Line]:
    """Latency of an edit at the start, middle and end of a response, against reading it all."""
    text = _LiveText(bench, Composer(bench.model, bench.sample))
    seconds: Timings = {name: [] for name in (FULL, PEER_FULL, *EDIT_PLACES)}
    differences = []
    for number in range(bench.options.edits + 1):
        for place in EDIT_PLACES:
            text.change(place)
            _add(seconds, interleave({place: text.read}, 1))
        whole = {
            FULL: lambda: differences.append(
                abs(float(bench.model.rewards([text.sequence]).rewards[0]) - text.reward)
            ),
            PEER_FULL: lambda: bench.peers.padded_ids([text.sequence.ids]),
        }
        _add(seconds, interleave(whole, 1))
        if number == 0:  # the first round warms up
            seconds = {name: [] for name in seconds}
    bench.say(f"live edits done: {bench.options.edits} at each place")
    lines = [
        Line(
            "live", FULL, {**_latency(seconds[FULL]), "largest_reward_difference": max(differences)}
        ),
        Line("live", PEER_FULL, _latency(seconds[PEER_FULL])),
    ]
    for place in EDIT_PLACES:
        ratio = paired_ratio(seconds[place], seconds[FULL])
        target = END_EDIT_TARGET if place == "end" else None
        what = f"edit at the {place} of {bench.options.response_tokens} tokens"
        lines.append(Line("live", what, _latency(seconds[place]), ratio, FULL, target))
    return lines


def _add(seconds: Timings, more: Timings) -> None:
    for name, values in more.items():
        seconds[name].extend(values)


def _latency(seconds: list[float]) -> dict[str, float]:
    return {"median_ms": 1e3 * median(seconds), "p95_ms": 1e3 * percentile(seconds, 95)}


def measure_prompt(bench: Bench) -> list[Line]:
    """One prompt with many responses: prefix reuse against none, and against RewardBench's way."""
    options, composer = bench.options, Composer(bench.model, bench.sample)
    prompt = composer.prompt(options.prompt_tokens)
    sequences = [
        composer.conversation(prompt, options.branch_tokens) for _ in range(options.responses)
    ]
    rewards: dict[bool, list[float]] = {}

    def engine(reuse: bool) -> Callable[[], None]:
        return lambda: rewards.__setitem__(reuse, by_engine(bench.model, sequences, reuse=reuse))

    sides: dict[str, Callable[[], object]] = {
        "with prefix reuse": engine(True),
        "no prefix reuse": engine(False),
        "batches of 8": lambda: bench.peers.padded_ids([each.ids for each in sequences]),
    }
    interleave(sides, 1)
    seconds = interleave(sides, options.rounds, say=bench.say)
    n_tokens = sum(len(sequence) for sequence in sequences)
    lines = [
        Line("prompt", name, {"seconds": median(took), "tokens_per_s": n_tokens / median(took)})
        for name, took in seconds.items()
    ]
    what = f"{options.responses} responses of {options.branch_tokens} under {options.prompt_tokens}"
    reused, *others = seconds
    for name, target in zip(others, (REUSE_TARGET, PEER_TARGET), strict=True):
        ratio = paired_ratio(seconds[name], seconds[reused])
        lines.append(Line("prompt", f"{what}, times faster", {}, ratio, name, target))
    difference = {"largest_reward_difference": distance(rewards[True], rewards[False])}
    return [*lines, Line("prompt", "rewards with and without", difference)]
