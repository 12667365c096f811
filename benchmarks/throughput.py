"""How many conversations a second, and what share of the machine's arithmetic that is."""

from collections.abc import Callable, Sequence

import torch

from benchmarks.bench import Bench, by_engine, distance
from benchmarks.measure import Line, Target, Timings, interleave, median, paired_ratio
from benchmarks.peers import matrix_parameters
from benchmarks.sample import Sample
from core.engine.prefix_tree import plan_reading
from core.engine.scoring import pass_cost, reuses_prefixes
from core.engine.service import RewardService
from core.engine.templating import encode
from core.engine.threads import in_passing_thread
from core.models.causal import CausalRewardModel
from core.schema import Conversation

SERVICE, PLAIN = "our service, cache off", "our engine, no prefix reuse"
PIPELINE, LOOP, SINGLE = "transformers pipeline", "RewardBench's loop", "one at a time"
PEER_NAMES = (PIPELINE, LOOP, SINGLE)
CEILING = "matrix products"
N_PRODUCTS = 8
LOOP_TARGET, BEST_TARGET = Target("≥", 2.5), Target("≥", 1.0)


def measure_throughput(bench: Bench) -> list[Line]:
    """Service, pipeline, RewardBench's loop, one at a time: tokens and conversations a second."""
    sides, rewards = _throughput_sides(bench, bench.sample)
    warm = Sample("", bench.sample.pairs[:2])
    for run in _throughput_sides(bench, warm)[0].values():
        in_passing_thread(run)
    sides = {**sides, CEILING: in_passing_thread(lambda: _products(bench))}
    seconds = interleave(sides, bench.options.rounds, apart=True, say=bench.say)
    del sides[CEILING]
    n_tokens = sum(encode(bench.model, c).n_tokens for c in bench.sample.conversations)
    best = min(PEER_NAMES, key=lambda name: median(seconds[name]))
    lines = []
    for name in sides:
        took = median(seconds[name])
        figures = {
            "tokens_per_s": n_tokens / took,
            "conversations_per_s": len(bench.sample.conversations) / took,
            "largest_reward_difference": distance(rewards[name], rewards[SERVICE]),
        }
        lines.append(Line("throughput", name, figures))
    for name in PEER_NAMES:
        target = LOOP_TARGET if name == LOOP else None
        ratio = paired_ratio(seconds[name], seconds[SERVICE])
        lines.append(Line("throughput", f"service, times {name}", {}, ratio, name, target))
    ratio = paired_ratio(seconds[best], seconds[SERVICE])
    lines.append(Line("throughput", "service, times the best peer", {}, ratio, best, BEST_TARGET))
    return [*lines, *_ceiling_lines(bench, seconds, n_tokens)]


def _throughput_sides(
    bench: Bench, sample: Sample
) -> tuple[dict[str, Callable[[], None]], dict[str, list[float]]]:
    """What to time, and where each side leaves its rewards, in the order of the conversations."""
    model, peers = bench.model, bench.peers
    conversations = sample.conversations
    encoded = [encode(model, conversation) for conversation in conversations]
    texts = [each.text for each in encoded]
    sequences = [each.sequence for each in encoded]
    sources: dict[str, Callable[[], list[float]]] = {
        SERVICE: lambda: _by_service(model, conversations),
        PLAIN: lambda: by_engine(model, sequences, reuse=False),
        PIPELINE: lambda: peers.pipeline(texts),
        LOOP: lambda: peers.reward_bench(texts[::2], texts[1::2]),
        SINGLE: lambda: peers.one_at_a_time(texts),
    }
    rewards: dict[str, list[float]] = {}

    def keeping(name: str) -> Callable[[], None]:
        return lambda: rewards.__setitem__(name, sources[name]())

    return {name: keeping(name) for name in sources}, rewards


def _by_service(model: CausalRewardModel, conversations: Sequence[Conversation]) -> list[float]:
    # A new service each time: one that has seen a text keeps its reward in memory.
    service = RewardService(cache=None)
    try:
        service.register(model)
        frame = service.score(model.card.id, conversations)
    finally:
        service.close()
    if (frame["error"] != "").any() or frame["cached"].any():
        raise SystemExit(f"The service did not compute every reward: {frame['error'].unique()}")
    return frame["reward"].tolist()


def _products(bench: Bench) -> Callable[[], None]:
    size, dtype = bench.options.matmul, bench.model.precision.weights
    left, right = (torch.randn(size, size, device=bench.model.device).to(dtype) for _ in range(2))

    def run() -> None:
        with torch.inference_mode():
            for _ in range(N_PRODUCTS):
                product = torch.nn.functional.linear(left, right)
            product[0, 0].item()  # waits for a GPU

    return run


def _ceiling_lines(bench: Bench, seconds: Timings, n_tokens: int) -> list[Line]:
    """Multiplications done for the tokens read, against what the machine can do at most."""
    operations = 2 * bench.options.matmul**3 * N_PRODUCTS
    ceiling = operations / median(seconds[CEILING])
    per_token = 2 * matrix_parameters(bench.model)
    read = {PLAIN: n_tokens, SERVICE: _tokens_read(bench), SINGLE: n_tokens}
    name = f"{bench.options.matmul}² products, {bench.model.precision.weights}"
    lines = [Line("ceiling", name, {"gflops": ceiling / 1e9, "tokens_per_s": ceiling / per_token})]
    for side, count in read.items():
        speeds = [count * per_token / took for took in seconds[side]]
        limits = [operations / took for took in seconds[CEILING]]
        figures = {"tokens_read": float(count), "gflops": median(speeds) / 1e9}
        share = paired_ratio(speeds, limits)
        lines.append(Line("ceiling", f"share: {side}", figures, share, "the products"))
    return lines


def _tokens_read(bench: Bench) -> int:
    """Tokens that go through the model when beginnings are shared."""
    sequences = [encode(bench.model, c).sequence for c in bench.sample.conversations]
    if not reuses_prefixes(bench.model):
        return sum(len(sequence) for sequence in sequences)
    reads = [bench.model.read_position(sequence.ids) for sequence in sequences]
    return plan_reading(sequences, reads, pass_cost(bench.model)).n_tokens
