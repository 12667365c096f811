"""A language model as a policy: responses drawn from it, and how likely it finds them."""

from core.models.sampling import Sample, Sampling
from core.training.policy.model import CHATML_PROMPT, AdapterShape, Policy, Reading, load_policy
from core.training.policy.sampler import draw

__all__ = [
    "CHATML_PROMPT",
    "AdapterShape",
    "Policy",
    "Reading",
    "Sample",
    "Sampling",
    "draw",
    "load_policy",
]
