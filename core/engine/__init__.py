"""How rewards are computed fast: templating, batching, prefix reuse, cache, service."""
