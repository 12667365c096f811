"""Process rewards: from step scores to a reward, and to the first error."""
