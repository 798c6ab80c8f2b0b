"""The settings that every experiment has. No JAX at import, so that `--help` answers at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from gen_jax.core.domains import Count, Interval, NonNegative, Pixels, Seed, Size, Whole

Backend = Literal["auto", "jit", "sharded", "pmap", "shard_map"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings that every experiment has."""

    data: str = "mnist5k"
    """mnist5k, digits, ring8, grid25, sprites, stacked:SOURCE, few:COUNT:SOURCE, tfds:NAME, folder:PATH, npz:PATH,
    table:PATH (CSV, Parquet), pairs:DIR (pictures given and wanted; edges:SOURCE, shrunk:SOURCE) or wav:DIR (sounds)"""
    data_dir: Path | None = None
    """where TFDS data sets are; by default TFDS's own folder, ~/tensorflow_datasets"""
    image_size: Pixels | None = None
    """resize images to this many pixels square; by default as they are"""
    channels: Literal[1, 3] | None = None
    """convert images to grey (1) or RGB (3); by default as they are"""
    background: Literal["white", "black"] = "white"
    """what lies under the transparent parts of pictures"""
    levels: Annotated[int, Interval(2, 256)] | None = None
    """pixels are 0 .. N-1 and N-1 is white: 2 for binarised images; by default 256"""
    normal_class: str | None = None
    """train on this class alone, by number or name; `evaluate --metrics auroc` tells the others from it"""
    columns: str | None = None
    """of table: data, what its columns are: a TOML file (names, kinds, target, test), or NAME=KIND with commas between,
    KIND being continuous, integer, category, drop or target"""
    labels_per_class: Size | None = None
    """keep so many training labels of each class, drawn by --seed, and hide the others; by default all are known"""
    steps: Count = 2000
    """rounds to train in all; raise it to continue a finished run"""
    batch_size: Size = 64
    """examples a minibatch, over all devices"""
    seed: Seed = 0
    """of weights, data order and noise"""
    run_dir: Path | None = None
    """the run folder; by default runs/EXPERIMENT-DATA-seedN, and before seedN each setting that is not the script's
    default: gan-digits-width32-seed0"""
    backend: Backend = "auto"
    """auto: jit on one device, sharded on several accelerators, shard_map on several CPU devices"""
    devices: Size | None = None
    """how many devices to use; all by default"""
    distributed: Literal["", "auto"] = ""
    """auto: several processes train together, as SLURM, Open MPI or a TPU pod has started them"""
    coordinator: str | None = None
    """HOST:PORT of process 0, where several processes are started by hand"""
    processes: Size | None = None
    """how many they are"""
    process: Whole | None = None
    """the number of this one, from 0 on"""
    shard_state: bool = False
    """split parameters, optimizer and averages over the devices, each along its largest axis that they divide"""
    steps_per_call: Size = 50
    """rounds in one compiled call; changes speed, never results"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """of the networks' arithmetic; parameters, statistics and losses stay float32"""
    deterministic: bool = False
    """the same bits at every run on a GPU, too, at a cost in speed that is told; on a CPU it is so anyway"""
    log_every: Count = 50
    """steps between two lines of metrics.jsonl"""
    sample_every: Whole = 500
    """steps between two sample grids; 0: only at the end"""
    evaluate_every: Whole = 500
    """steps between two evaluations on held-out data; 0: never"""
    log: str = "tensorboard"
    """where else metrics go: tensorboard, csv, wandb, mlflow (the last two are to be installed), with commas between"""
    track: str = ""
    """scores to follow at each evaluation: fd, kid, precision, recall, density, coverage, with commas between"""
    track_features: str = "auto"
    """features of these scores: lenet, pixels, pca, ...; by default lenet where the data are labelled images"""
    track_samples: Annotated[int, Interval(10, 50_000)] = 1000
    """samples behind each of these scores"""
    checkpoint_every: Whole = 500
    """steps between two checkpoints; 0: only at the end"""
    max_nonfinite: Count = 100
    """stop after this many non-finite (skipped) steps in a row"""
    allow_changed: tuple[Literal["data", "code"], ...] = ()
    """continue on other data, or with another script or modules; the manifest says so for ever"""
    resident_gib: NonNegative = 2.0
    """data sets up to this size stay on the device; larger ones stream from disk"""

    @property
    def dtype(self) -> Any:
        """`precision` as what networks take."""
        import jax.numpy as jnp

        return jnp.dtype(self.precision)
