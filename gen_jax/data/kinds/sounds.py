"""Sounds: float32 [N, T] in [-1, 1], one channel. Drawn as waves over their spectrograms, and kept as a WAV file."""

import io
import itertools
import wave
from collections.abc import Sequence

import numpy as np

import gen_jax.data.kinds.canvas as canvas
from gen_jax.data.kinds.images import grid
from gen_jax.data.kinds.kind import Kind, Picture
from gen_jax.data.kinds.points import POINTS

WIDTH, TALL, WAVE = 128, 64, 24  # pixels of a spectrogram, and of the wave above it
FLOOR = 80.0  # decibels below the loudest that are black
PAUSE = 0.1  # seconds between two clips of a file


def spectrogram(clip: np.ndarray) -> np.ndarray:
    """[T] -> decibels [TALL, WIDTH], low pitches at the bottom: windows of Hann, one a column."""
    size = 2 * TALL
    clip = np.nan_to_num(np.asarray(clip, np.float64))
    padded = np.pad(clip, (size // 2, size // 2))
    starts = np.linspace(0, len(padded) - size, WIDTH).astype(int)
    windows = np.stack([padded[start : start + size] for start in starts]) * np.hanning(size)
    power = np.abs(np.fft.rfft(windows, axis=1))[:, 1:] ** 2
    return 10 * np.log10(power + 1e-10).T[::-1]


def drawn(clips: np.ndarray) -> np.ndarray:
    """[N, T] -> float [N, WAVE + TALL, WIDTH, 1] in [-1, 1]: the wave, and the spectrogram below."""
    found = np.full((len(clips), WAVE + TALL, WIDTH, 1), -1.0)
    for number, clip in enumerate(clips):
        loud = spectrogram(clip)
        top = max(loud.max(), 0.0)
        found[number, WAVE:, :, 0] = np.clip(1 + 2 * (loud - top) / FLOOR, -1, 1)
        edges = np.linspace(0, len(clip), WIDTH + 1).astype(int)
        for column, (start, end) in enumerate(itertools.pairwise(edges)):
            part = np.nan_to_num(clip[start : max(end, start + 1)])
            high, low = ((1 - np.clip(value, -1, 1)) / 2 * (WAVE - 1) for value in (part.max(), part.min()))
            found[number, round(high) : round(low) + 1, column, 0] = 1.0
    return found


def file(clips: np.ndarray, rate: int) -> bytes:
    """Clips [N, T] one after another as a WAV file of 16 bits."""
    pause = np.zeros((len(clips), round(PAUSE * rate)))
    samples = np.concatenate([np.clip(np.nan_to_num(clips), -1, 1), pause], axis=1).reshape(-1)
    content = io.BytesIO()
    with wave.open(content, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.round(samples * 32_767).astype("<i2").tobytes())
    return content.getvalue()


def _of(clips: np.ndarray, columns: int) -> Picture:
    pixels = grid(drawn(clips), columns)
    return Picture(pixels, canvas.png(pixels))


def _pairs(clips: np.ndarray, again: np.ndarray) -> Picture:
    return _of(np.stack([clips, again], axis=1).reshape(-1, clips.shape[-1]), 2)


def _rows(clips: np.ndarray, names: Sequence[str]) -> Picture:
    return _of(clips.reshape(-1, clips.shape[-1]), clips.shape[1])


def sounds(rate: int) -> Kind:
    """Sounds of so many samples a second."""
    return Kind(
        name="sounds",
        samples=16,
        describe=lambda shape: f"sounds of {shape[-1]} samples",
        picture=lambda clips, real, columns: _of(clips, columns or 4),
        pairs=_pairs,
        rows=_rows,
        features=POINTS.features,
        sound=lambda clips: file(clips, rate),
        rate=rate,
    )
