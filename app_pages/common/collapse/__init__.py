"""Parts of the collapse page."""
