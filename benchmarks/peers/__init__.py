"""The same training steps in PyTorch, as an expert in PyTorch would write them for speed. They import torch alone.

Channels-last memory, data on the device as uint8, fused Adam, one fake batch for both players where the case shares
it, averages by one `foreach` call, discriminator weights frozen while the generator learns, no host round trip.
"""

WAYS = ("eager", "compiled", "graph", "compiled_graph")  # see `parts`
