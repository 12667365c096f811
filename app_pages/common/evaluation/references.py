"""What the papers report, and what would show a reading wrong: beside the results, never in them.

Only numbers that were read in a paper or in its authors' files.
"""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Reference:
    """What is known of a benchmark from elsewhere.

    Attributes:
        claim: what the paper holds.
        numbers: reported numbers, one a line.
        falsified_by: what result here would speak against it.
    """

    claim: str
    numbers: tuple[str, ...]
    falsified_by: str


REFERENCES = {
    "rm-bench": Reference(
        "Reward models follow style where it hides a subtle error: on the hard cells, where the "
        "wrong response is the more decorated one, they lose most (Liu et al. 2024, arXiv "
        "2410.16184).",
        (
            "RM-R1 on Qwen-Instruct-32B, from its authors' result files: 79.2 overall; easy 86.7, "
            "normal 80.5, hard 70.5; chat 76.5, math 80.6, code 66.1, safety 93.8.",
            "Skywork-Reward-V2 8B, from its authors' table: 92.8 overall.",
        ),
        "Easy and hard alike within their intervals: this model does not go by style here.",
    ),
    "styles": Reference(
        "RM-Bench's question on your own texts (Liu et al. 2024, arXiv 2410.16184). There a "
        "language model wrote the styles; here rules do, which is our reading and reaches less.",
        (),
        "An interval of easy minus hard that includes 0: style does not move this model here.",
    ),
    "llmbar": Reference(
        "Judges prefer the more polished output over the one that follows the instruction, most of "
        "all in the adversarial subsets (Zeng et al. 2023, arXiv 2310.07641).",
        (),
        "The adversarial subsets as good as the natural one, within their intervals.",
    ),
    "rewardbench": Reference(
        "Accuracy over chat, hard chat, safety and reasoning tells reward models apart (Lambert "
        "et al. 2024, arXiv 2403.13787).",
        (
            "Skywork-Reward-V2 8B, from its authors' table: 96.4.",
            "RM-R1 on Qwen-Instruct-32B, from its authors' result files: 92.9.",
        ),
        "A model with a high score here whose picks are no better: see Best of n.",
    ),
    "rewardbench2": Reference(
        "Picking the best of four is harder than one of two, and right answers should be valued "
        "alike (Malik et al. 2025, arXiv 2506.01937).",
        ("Skywork-Reward-V2 8B, from its authors' table: 84.1.",),
        "A score near that of RewardBench 1: four responses are then no harder than two.",
    ),
    "ppe": Reference(
        "Agreement with people's choices and with verified answers foretells how a policy trained "
        "on the reward comes out (Frick et al. 2024, arXiv 2410.14872).",
        (),
        "A best-of-k curve that falls although the accuracy is well above one half.",
    ),
    "pairs": Reference(
        "No paper's: how often this model agrees with the labels of your pairs.",
        (),
        "An interval that includes 50 %: on these pairs the model may as well be guessing.",
    ),
    "best-of-n": Reference(
        "Picking ever harder by a proxy first helps and then hurts: gain = d (alpha - beta d) with "
        "d the square root of the KL divergence, KL = log n - (n - 1) / n (Gao et al. 2023, arXiv "
        "2210.10760). An ensemble's worst case or mean minus 0.5 times the variance turns later "
        "(Coste et al. 2024, arXiv 2310.02743). A reward with little variance under the policy "
        "teaches slowly however accurate it is (Razin et al. 2025, arXiv 2503.15477).",
        (
            "For alpha = 1 and beta = 0.2 Gao's form peaks at d = 2.5 with a gain of 1.25.",
            "KL of best-of-n: 0.19 nats at n = 2, 1.84 at n = 16, 3.17 at n = 64.",
        ),
        "Gold reward still rising at the largest n, or an interval of the drop that includes 0.",
    ),
}
"""By benchmark, and for best-of-n."""


def draw_reference(name: str) -> None:
    """What the paper reports, apart from what was measured here."""
    reference = REFERENCES[name]
    with st.expander("What the paper reports, and what would falsify it here"):
        st.markdown(reference.claim)
        if reference.numbers:
            st.markdown("Reported by the paper, not measured here:")
            for line in reference.numbers:
                st.markdown(f"- {line}")
        else:
            st.caption("No number of it could be checked, so none stands here.")
        st.markdown(f"**What would falsify this?** {reference.falsified_by}")
