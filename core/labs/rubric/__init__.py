"""Rubric rewards: criteria with weights and pitfalls, and how they move a ranking."""
