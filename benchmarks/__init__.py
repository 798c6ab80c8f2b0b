"""Speed: this project against PyTorch on the same work, and against the machine. See `python -m benchmarks --help`."""
