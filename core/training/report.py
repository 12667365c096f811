"""Evaluation results as Markdown tables, as model cards and the command show them."""

from core.stats import Estimate
from core.training.evaluate import HeldOutEvaluation, StyleEvaluation


def held_out_text(evaluation: HeldOutEvaluation) -> str:
    """Accuracies by slice, then the level, spread and length correlation of the rewards."""
    lines = [
        "| held-out prompts | | pairs | prompts | accuracy | 95 % interval |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in evaluation.accuracies.to_dict("records"):
        interval = f"{row['low']:.1%} to {row['high']:.1%}"
        lines.append(
            f"| {row['set']} | {row['slice']} | {row['n']} | {row['n_prompts']} "
            f"| {row['accuracy']:.1%} | {interval} |"
        )
    lines += [
        "",
        f"Rewards: mean {evaluation.mean_reward:.2f}, "
        f"standard deviation {evaluation.reward_spread:.2f}.",
        "Rank correlation of reward with length in characters: "
        f"{evaluation.length_correlation:+.2f} over all responses, "
        f"{evaluation.length_correlation_good:+.2f} over good ones.",
    ]
    return "\n".join(lines)


def public_text(llmbar: Estimate, styles: StyleEvaluation) -> str:
    """Accuracy on LLMBar natural and the style matrix of RM-Bench chat."""
    lines = [
        "| public set | prompts | accuracy | 95 % interval |",
        "| --- | ---: | ---: | --- |",
        _row("LLMBar natural", llmbar),
        _row("RM-Bench chat, mean of nine cells", styles.average),
        "",
        f"RM-Bench chat: easy {styles.easy:.1%}, normal {styles.normal:.1%}, "
        f"hard {styles.hard:.1%}.",
        "",
        f"| chosen \\ rejected | {' | '.join(styles.matrix.columns)} |",
        "| --- |" + " ---: |" * len(styles.matrix.columns),
    ]
    for style, cells in zip(styles.matrix.index, styles.matrix.to_numpy(), strict=True):
        lines.append(f"| {style} | {' | '.join(f'{cell:.1%}' for cell in cells)} |")
    return "\n".join(lines)


def _row(name: str, found: Estimate) -> str:
    interval = f"{found.low:.1%} to {found.high:.1%}"
    return f"| {name} | {found.n_prompts} | {found.value:.1%} | {interval} |"
