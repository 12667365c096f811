"""Parts of the verifier-free page."""
