"""Numbers that papers and repositories report on reasoning judges and on scalar models.

They are references for reading, not results of the workbench, and each says how it is known.
"""

from typing import Literal, get_args

import pandas as pd

Kind = Literal["reasoning judge", "scalar", "general model as judge"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PAPER = "reported by the paper"
CODE = "from the authors' code or result files"
SECOND_HAND = "second-hand"

COLUMNS = ("system", "kind", "samples", "benchmark", "value", "known", "source", "remark")

_GRM = "DeepSeek-GRM, arXiv 2504.02495"
_RM_R1 = "RM-R1's repository, result files"
_RRM = "on RRM, arXiv 2505.14674"
_J1 = "on J1, arXiv 2505.10320"
_SKYWORK = "Skywork-Reward-V2's repository, table of results"

_REASONING: Kind = "reasoning judge"
_SCALAR: Kind = "scalar"
_GENERAL: Kind = "general model as judge"

_ROWS: tuple[tuple[str, Kind, str, str, float, str, str, str], ...] = (
    ("DeepSeek-GRM", _REASONING, "greedy", "mean of the paper's benchmarks", 69.9, PAPER, _GRM, ""),
    ("DeepSeek-GRM", _REASONING, "1", "mean of the paper's benchmarks", 67.9, PAPER, _GRM, ""),
    ("DeepSeek-GRM", _REASONING, "8", "mean of the paper's benchmarks", 70.6, PAPER, _GRM, ""),
    ("DeepSeek-GRM", _REASONING, "32", "mean of the paper's benchmarks", 71.0, PAPER, _GRM, ""),
    ("DeepSeek-GRM with its Meta-RM", _REASONING, "8", "mean of the paper's benchmarks", 72.0,
     PAPER, _GRM, "half of the samples kept"),
    ("DeepSeek-GRM with its Meta-RM", _REASONING, "32", "mean of the paper's benchmarks", 72.8,
     PAPER, _GRM, "half of the samples kept"),
    ("GPT-4o", _GENERAL, "", "mean of the paper's benchmarks", 71.3, PAPER, _GRM, ""),
    ("Nemotron-4-340B-Reward", _SCALAR, "", "mean of the paper's benchmarks", 70.5, PAPER, _GRM,
     ""),
    ("DeepSeek-GRM", _REASONING, "greedy", "RewardBench", 86.0, PAPER, _GRM,
     "Skywork's table agrees"),
    ("DeepSeek-GRM", _REASONING, "32", "RewardBench", 88.5, PAPER, _GRM, "Skywork's table agrees"),
    ("DeepSeek-GRM with its Meta-RM", _REASONING, "32", "RewardBench", 90.4, PAPER, _GRM,
     "Skywork's table agrees"),
    ("DeepSeek-GRM", _REASONING, "greedy", "PPE correctness", 60.4, CODE, _SKYWORK,
     "greedy and filtered as we read the table"),
    ("DeepSeek-GRM with its Meta-RM", _REASONING, "32", "PPE correctness", 63.2, CODE, _SKYWORK,
     "greedy and filtered as we read the table"),
    ("DeepSeek-GRM", _REASONING, "greedy", "PPE preference", 65.3, CODE, _SKYWORK,
     "greedy and filtered as we read the table"),
    ("DeepSeek-GRM with its Meta-RM", _REASONING, "32", "PPE preference", 67.2, CODE, _SKYWORK,
     "greedy and filtered as we read the table"),
    ("RM-R1 Qwen-Instruct 32B", _REASONING, "", "RewardBench", 92.9, CODE, _RM_R1,
     "91.37 under a plain mean of its sections"),
    ("RM-R1 DeepSeek-Distilled 32B", _REASONING, "", "RewardBench", 90.85, CODE, _RM_R1, ""),
    ("RM-R1 Qwen-Instruct 32B", _REASONING, "", "RM-Bench", 79.24, CODE, _RM_R1,
     "hard 70.5, normal 80.5, easy 86.7"),
    ("RM-R1 DeepSeek-Distilled 32B", _REASONING, "", "RM-Bench", 83.88, CODE, _RM_R1,
     "hard 76.7"),
    ("RRM 32B", _REASONING, "", "RewardBench", 91.2, SECOND_HAND, _RRM, "approximate"),
    ("RRM 32B, one re-run", _REASONING, "", "RM-Bench", 73.1, SECOND_HAND, _RRM,
     "another has 81 to 83: the protocol decides"),
    ("RRM 32B, one re-run", _REASONING, "", "PPE correctness", 67.9, SECOND_HAND, _RRM,
     "another has 75.3: the protocol decides"),
    ("J1 8B", _REASONING, "", "PPE correctness", 59.2, SECOND_HAND, _J1, ""),
    ("J1 70B", _REASONING, "", "PPE correctness", 72.9, SECOND_HAND, _J1, ""),
    ("J1 70B", _REASONING, "32", "PPE correctness", 73.7, CODE, _SKYWORK, "majority"),
    ("J1 Qwen-32B-MT", _REASONING, "", "PPE correctness", 76.8, SECOND_HAND, _J1, ""),
    ("Skywork-Reward-V2 8B", _SCALAR, "", "RewardBench", 96.4, CODE, _SKYWORK,
     "Bradley-Terry on 26 million curated pairs"),
    ("Skywork-Reward-V2 8B", _SCALAR, "", "RewardBench 2", 84.1, CODE, _SKYWORK, ""),
    ("Skywork-Reward-V2 8B", _SCALAR, "", "RM-Bench", 92.8, CODE, _SKYWORK, ""),
)  # fmt: skip


def counter_evidence() -> pd.DataFrame:
    """Reported accuracies in per cent, one row a system, benchmark and number of samples.

    Columns: `COLUMNS`; `samples` is judgements of an item ("" where it is not told), `known` says
    how far the number can be trusted to be what its authors measured.
    """
    return pd.DataFrame(_ROWS, columns=list(COLUMNS))


def reported_gain() -> dict[str, float]:
    """Points that 32 samples gained over one in DeepSeek-GRM's own table, plain and filtered."""
    rows = counter_evidence()
    rows = rows.loc[rows["benchmark"] == "mean of the paper's benchmarks"]
    values = {
        (str(system), str(samples)): float(value)
        for system, samples, value in rows[["system", "samples", "value"]].itertuples(index=False)
    }
    single = values["DeepSeek-GRM", "1"]
    return {
        "plain": values["DeepSeek-GRM", "32"] - single,
        "filtered": values["DeepSeek-GRM with its Meta-RM", "32"] - single,
    }
