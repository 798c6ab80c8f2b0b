"""`wav:DIR`: sounds, every .wav in a folder and those below it: float32 [N, length] in [-1, 1], one channel.

The length is the power of two from the median clip's on (65,536 at most): longer clips are cut, shorter ones end in
silence. DIR/train and DIR/test are splits where both are there; else a tenth is held out by a fixed draw.
"""

import warnings
from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data import places, source
from gen_jax.data.images import How
from gen_jax.data.kinds.sounds import sounds
from gen_jax.data.reading import counted

SHORTEST, LONGEST = 64, 65_536
FULL = {np.dtype("uint8"): 128.0, np.dtype("int16"): 32_768.0, np.dtype("int32"): 2_147_483_648.0}


def wav(path: str, how: How = How()) -> source.Source:
    """The sounds. Raises UserError for a folder without any, files that cannot be read, several sampling rates, and
    settings that are for images."""
    if (how.size, how.channels, how.levels) != (None, None, None):
        raise UserError(f"wav:{path} holds sounds: --image-size, --channels and --levels are for images")
    root = places.folder_at(path, "wav")
    if all((root / name).is_dir() for name in ("train", "test")):
        parts, notes = [_files(root / name, f"wav:{path}/{name}") for name in ("train", "test")], ()
    else:
        files = _files(root, f"wav:{path}")
        if len(files) < 2:
            raise UserError(f"wav:{path} has one sound; one more is needed to hold out")
        parts, notes = [[files[i] for i in rows] for rows in source.holdout(len(files))], ("a tenth held out",)
    read = [[_clip(file) for file in part] for part in parts]
    rate = _one_rate(path, [file for part in parts for file in part], [each for part in read for each in part])
    clips = [[samples for samples, _ in part] for part in read]
    lengths = np.array([len(clip) for part in clips for clip in part])
    length = min(LONGEST, max(SHORTEST, 1 << int(np.ceil(np.log2(max(1.0, np.median(lengths)))))))
    size = len(lengths) * length * 4
    if size > source.IN_MEMORY_BYTES:
        raise UserError(
            f"wav:{path} makes {size / 2**30:.1f} GiB of sound, and {source.IN_MEMORY_BYTES / 2**30:.0f} are read at "
            "most; leave some out"
        )
    train, test = ({"x": np.stack([_fitted(clip, length) for clip in part])} for part in clips)
    cut, filled = int((lengths > length).sum()), int((lengths < length).sum())
    told = [f"{rate:,} Hz, {length / rate:.2f} s each", *([f"{cut:,} cut"] if cut else [])]
    told += [f"{filled:,} ended in silence"] if filled else []
    name = f"wav:{visible(root.name or root.resolve().name)}"
    return source.from_arrays(name, train, test, None, kind=sounds(rate), notes=(*notes, *told))


def _files(folder: Path, what: str) -> list[Path]:
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() == ".wav" and not f.name.startswith("."))
    if not files:
        raise UserError(f"{what} holds no sounds (.wav); convert others, with ffmpeg for one")
    return files


def _clip(file: Path) -> tuple[np.ndarray, int]:
    """(samples float32 [T] in [-1, 1], the mean of the channels; the sampling rate)."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that are no sound
            rate, samples = wavfile.read(file)
    except (ValueError, OSError, EOFError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} cannot be read as a WAV file ({reason}); remove or replace it") from None
    if samples.size == 0:
        raise UserError(f"{file} holds no sound; remove or replace it")
    if samples.dtype in FULL:
        offset = 128.0 if samples.dtype == np.uint8 else 0.0
        samples = (samples - offset) / FULL[samples.dtype]
    samples = samples.astype(np.float64)
    if not np.isfinite(samples).all():
        raise UserError(f"{file} holds numbers that are not finite; remove or replace it")
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    return np.clip(mono, -1.0, 1.0).astype(np.float32), int(rate)


def _one_rate(path: str, files: list[Path], read: list[tuple[np.ndarray, int]]) -> int:
    first = read[0][1]
    for file, (_, rate) in zip(files, read, strict=True):
        if rate != first:
            raise UserError(
                f"wav:{path}: {file.name} has {rate:,} samples a second where {files[0].name} has {first:,}; convert "
                "them to one rate"
            )
    if first <= 0:
        raise UserError(f"wav:{path}: {counted(len(files), 'sound')} with a sampling rate of {first}; convert them")
    return first


def _fitted(clip: np.ndarray, length: int) -> np.ndarray:
    return np.pad(clip[:length], (0, max(0, length - len(clip))))
