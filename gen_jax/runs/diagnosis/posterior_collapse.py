"""Posterior collapse: q(z|x) is the prior whatever x is, and the decoder does without z."""

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, last_step, median, recent

SHARE, NATS = 0.1, 0.5
LEAST = 6


def look(metrics: Metrics) -> Sight | None:
    share, kl = recent(metrics.get("active_share"), LEAST), recent(metrics.get("kl"), LEAST)
    units = recent(metrics.get("active_units"), LEAST)
    if share is None or units is None or kl is None:
        return None
    active, nats = median(share), median(kl)
    whole = round(median(units) / active) if active > 0 else "the"
    saw = f"{median(units):.0f} of {whole} latent units are active, and the KL is {nats:.3g} nats"
    return Sight(active < SHARE or nats < NATS, active, last_step(share), saw)


RULE = Rule(
    "posterior_collapse",
    "posterior collapse",
    "active_share: units whose posterior mean varies by more than 0.01 over a batch; kl, in nats",
    f"fewer than {SHARE:.0%} of the units active, or a KL below {NATS:g} nats",
    "Burda et al. 2016 (arXiv:1509.00519, 5.1) for activity; Bowman et al. 2016 (arXiv:1511.06349) for a KL near 0; "
    "the shares are measured here",
    (
        Remedy("vae.py", "--warm-up 2000 --hyper.beta 1", "Bowman et al. 2016: the KL's weight rises slowly"),
        Remedy("conv_vae.py", "--rate free_bits", "Kingma et al. 2016"),
        Remedy("conv_vae.py", "--rate cyclical", "Fu et al. 2019"),
        Remedy("sigma_vae.py", "", "Rybkin et al. 2021: a learned σ finds the balance itself"),
    ),
    look,
)
