"""What pages share, one module a subject."""
