"""`wav:DIR`: sounds, every .wav in a folder and those below it: float32 [N, length] in [-1, 1], one channel.

The length is the power of two from the median clip's on (65,536 at most): longer clips are cut, shorter ones end in
silence. Splits are folders called as those of pictures are (`roles`): test is held out, or val where there is no test;
where there is neither, a tenth is, by a fixed draw.
"""

import warnings
from pathlib import Path

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.core.lines import visible
from gen_jax.data import places, roles, source
from gen_jax.data.images import How
from gen_jax.data.kinds.sounds import sounds
from gen_jax.data.reading import counted, short

SHORTEST, LONGEST = 64, 65_536
LOUDEST = 8.0  # what floats may reach: a little above 1 is clipped, as in a player; this far, 1 is not their full scale
FULL = {np.dtype("uint8"): 128.0, np.dtype("int16"): 32_768.0, np.dtype("int32"): 2_147_483_648.0}


def wav(path: str, how: How = How()) -> source.Source:
    """The sounds. Raises UserError for a folder without any, files that cannot be read, several sampling rates, and
    settings that are for images."""
    if (how.size, how.channels, how.levels) != (None, None, None):
        raise UserError(f"wav:{path} holds sounds: --image-size, --channels and --levels are for images")
    root = places.folder_at(path, "wav")
    parts, notes = _splits(root, f"wav:{root}")
    read = [[_clip(file) for file in part] for part in parts]
    files = [file for part in parts for file in part]
    rate = _one_rate(path, files, [each for part in read for each in part])
    clips = [[samples for samples, _ in part] for part in read]
    notes += _clipped(files, [clip for part in clips for clip in part])
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


def _splits(root: Path, what: str) -> tuple[list[list[Path]], list[str]]:
    """([files to train on, files held out], what to say of it). Raises UserError as `roles.splits` does."""
    files = _files(root, what)
    beside = [file for file in files if file.parent == root]
    folders: dict[str, set[str]] = {}
    for file in files:
        first, *inner = file.relative_to(root).parts[:-1] or [""]
        folders.setdefault(first, set()).update(inner[:1])
    folders.pop("", None)
    split_of = roles.splits(what, folders)
    if not split_of:
        return _held_out(files, what), ["a tenth held out"]
    train = split_of["train"]
    test = split_of.get("test") or split_of.get("val")
    others = [f"{name}/" for name in folders if name not in (train, test)]
    others += [f"{counted(len(beside), 'sound')} beside them"] if beside else []
    notes = [f"{short(others)} not used"] if others else []
    if test is None:
        return _held_out(_files(root / train, what), what), [f"trained on {train}/", "a tenth held out", *notes]
    parts = [_files(root / name, f"{what}/{name}") for name in (train, test)]
    return parts, [f"trained on {train}/, held out is {test}/", *notes]


def _held_out(files: list[Path], what: str) -> list[list[Path]]:
    if len(files) < 2:
        raise UserError(f"{what} has one sound; one more is needed to hold out")
    return [[files[i] for i in rows] for rows in source.holdout(len(files))]


def _files(folder: Path, what: str) -> list[Path]:
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() == ".wav" and not f.name.startswith("."))
    if not files:
        raise UserError(f"{what} holds no sounds (.wav); convert others, with ffmpeg for one")
    return files


def _clip(file: Path) -> tuple[np.ndarray, int]:
    """(samples float32 [T], the mean of the channels, in [-1, 1] but for floats beyond; the sampling rate)."""
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
    if (most := float(np.abs(mono).max())) > LOUDEST:
        raise UserError(
            f"{file} has samples of up to {most:,.6g}, and floats are sound between -1 and 1; divide them by "
            "their full scale (32768 where they were 16 bits)"
        )
    return mono.astype(np.float32), int(rate)


def _clipped(files: list[Path], clips: list[np.ndarray]) -> list[str]:
    """What to say of floats beyond full scale."""
    beyond = [number for number, clip in enumerate(clips) if np.abs(clip).max() > 1]
    if not beyond:
        return []
    loudest = max(beyond, key=lambda number: float(np.abs(clips[number]).max()))
    most = float(np.abs(clips[loudest]).max())
    return [f"{counted(len(beyond), 'sound')} clipped at ±1 (up to {most:.3g} in {files[loudest].name})"]


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
    return np.pad(np.clip(clip[:length], -1, 1), (0, max(0, length - len(clip))))
