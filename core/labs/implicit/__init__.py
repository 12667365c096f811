"""Implicit rewards: how they follow length, and how sum and mean disagree."""
