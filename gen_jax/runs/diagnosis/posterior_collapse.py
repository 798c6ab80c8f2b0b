"""Posterior collapse: q(z|x) is the prior whatever x is, and the decoder does without z."""

from gen_jax.runs.diagnosis.rule import Metrics, Remedy, Rule, Sight, aligned, last_step, median, recent, typical

SHARE, NATS = 0.1, 0.5
LEAST = 6


def look(metrics: Metrics) -> Sight | None:
    found = aligned(metrics, "active_share", "active_units", "kl")
    share, units, kl = (recent(series, LEAST) for series in found) if found else (None, None, None)
    if share is None or units is None or kl is None:
        return None
    few, low = median(share) < SHARE, median(kl) < NATS
    middle = typical(kl.values if low and not few else share.values)  # all that is told is of this probe
    active, nats = float(share.values[middle]), float(kl.values[middle])
    whole = round(units.values[middle] / active) if active > 0 else "the"
    saw = f"{units.values[middle]:.0f} of {whole} latent units are active, and the KL is {nats:.3g} nats"
    return Sight(few or low, active, last_step(share), saw)


RULE = Rule(
    "posterior_collapse",
    "posterior collapse",
    "active_share: units whose posterior mean varies by more than 0.01 over a batch; kl, in nats",
    f"fewer than {SHARE:.0%} of the units active, or a KL below {NATS:g} nats",
    "Burda et al. 2016 (arXiv:1509.00519, 5.1) for activity; Bowman et al. 2016 (arXiv:1511.06349) for a KL near 0; "
    "the shares are measured here",
    (
        Remedy("vae.py", "--warm-up 2000 --hyper.beta 1", "Bowman et al. 2016: the KL's weight rises slowly"),
        Remedy("", "--hyper.beta 1", "the KL at its own weight"),
        Remedy("conv_vae.py", "--rate free_bits", "Kingma et al. 2016"),
        Remedy("conv_vae.py", "--rate cyclical", "Fu et al. 2019"),
        Remedy("sigma_vae.py", "", "Rybkin et al. 2021: a learned σ finds the balance itself"),
    ),
    look,
)
