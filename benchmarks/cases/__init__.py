"""The cases, one idea a file. `RACES` run against PyTorch; `MEASURES` look at this project alone.

A measure is a module with `TITLE` and `measure(spec) -> {"columns": [...], "rows": [[...]], "notes": [...]}`.
"""

from benchmarks.cases import conv_vae, dcgan, mlp_vae, ring_gan, sngan, wgan_gp
from benchmarks.races import Race

RACES: dict[str, Race] = {
    race.name: race for module in (mlp_vae, ring_gan, conv_vae, dcgan, wgan_gp, sngan) for race in module.RACES
}
MEASURES = ("seeds", "pipeline", "loop", "evaluation", "start_up", "precision")
