"""Blur: reconstructions without the fine detail of the data."""

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, last_step, median, recent

POWER = 0.05
LEAST = 6


def look(metrics: Metrics) -> Sight | None:
    now = recent(metrics.get("high_frequency/reconstructions"), LEAST)
    if now is None:
        return None
    power = median(now)
    saw = f"reconstructions have {power:.2g} of the data's power beyond half the Nyquist frequency"
    return Sight(power < POWER, power, last_step(now), saw)


RULE = Rule(
    "blur",
    "blur",
    "high_frequency/reconstructions: spectral power beyond half the Nyquist frequency over that of the data",
    f"below {POWER:g}",
    "Durall et al. 2020 (arXiv:2003.01826) for spectra of generated images; Rybkin et al. 2021 (arXiv:2006.13202) for "
    "a σ too large as its cause; the threshold is measured here",
    (
        Remedy("sigma_vae.py", "", "Rybkin et al. 2021: σ learned, not chosen"),
        Remedy("vae.py", "--likelihood gaussian --binarization NONE --sigma 0.1", "a smaller σ asks for more detail"),
        Remedy("vae_gan.py", "", "Larsen et al. 2016: errors measured in a discriminator's features"),
        Remedy("vae.py", "--latent-size 32 --hyper.beta 1", "room for the detail in the code"),
    ),
    look,
)
