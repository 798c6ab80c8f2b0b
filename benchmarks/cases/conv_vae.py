"""The convolutional VAE at 28 pixels, `experiments/conv_vae.py` as it comes."""

from benchmarks.races import Race

RACES = [
    Race(
        "conv-vae-28",
        "Convolutional VAE, 28×28, width 32, batch 64",
        "conv_vae",
        {"batch_size": 64, "width": 32, "latent_size": 32},
        "dcgan.vae",
        {"batch_size": 64, "width": 32, "latent_size": 32},
        0.9,
    )
]
