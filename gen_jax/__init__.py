"""Pure-JAX GANs, VAEs and hybrids: players and phases on one engine."""
