"""The verbs of `python -m gen_jax`: one a file, each a function whose arguments are its command line."""
