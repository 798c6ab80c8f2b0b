"""Sounds: widths of samples, channels, lengths, splits, how they are drawn and kept; a line for each mistake."""

import io
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from gen_jax.core.errors import UserError
from gen_jax.data import load, reading, source
from gen_jax.data.kinds import sounds as kind

RATE = 8000
WAVE = np.sin(2 * np.pi * 440 * np.arange(1000) / RATE) * 0.5


def write(folder, count=12, length=1000, rate=RATE, dtype=np.int16, channels=1, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    clip = np.resize(WAVE, length)
    clip = np.stack([clip] * channels, axis=1) if channels > 1 else clip
    whole = {np.int16: 32767 * clip, np.uint8: 127 * clip + 128, np.int32: 2147483647 * clip, np.float32: clip}
    for number in range(first, first + count):
        wavfile.write(folder / f"{number:02}.wav", rate, whole[dtype].astype(dtype))


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float32])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_of_every_width_are_the_same_sound(tmp_path, dtype, channels):
    write(tmp_path, dtype=dtype, channels=channels)
    data = load.load(f"wav:{tmp_path}")
    assert (data.shape, data.train.size, data.test.size, data.classes) == ((1024,), 11, 1, None)
    x = source.whole(data.train)["x"]
    assert x.dtype == np.float32
    np.testing.assert_allclose(x[0, :1000], WAVE, atol=0.02)
    assert not x[:, 1000:].any()


def test_the_length_is_a_power_of_two_from_the_median_on_and_what_was_done_is_said(tmp_path):
    write(tmp_path / "a", 5, 1500)
    write(tmp_path / "b", 3, 5000, first=50)
    data = load.load(f"wav:{tmp_path}")
    assert data.shape == (2048,)
    line = reading.line(data)
    assert "3 cut" in line
    assert "5 ended in silence" in line
    assert "8,000 Hz, 0.26 s" in line
    assert "sounds" in line


def test_splits(tmp_path):
    write(tmp_path / "train", 3)
    write(tmp_path / "test", 2)
    data = load.load(f"wav:{tmp_path}")
    assert (data.train.size, data.test.size) == (3, 2)


@pytest.mark.parametrize(
    ("there", "sizes", "says"),
    [
        ("train/4 val/3", (4, 3), "trained on train/, held out is val/"),
        ("Train/4 Test/3", (4, 3), "trained on Train/, held out is Test/"),
        ("training/4 dev/3 eval/2", (4, 2), "held out is eval/; dev/ not used"),
        ("train/a/4 train/b/4 test/a/3", (8, 3), "trained on train/, held out is test/"),
        ("train/4 test/3 other/2 1", (4, 3), "other/, 1 sound beside them not used"),
        ("train/10", (9, 1), "trained on train/; a tenth held out"),
        ("train/10 1", (9, 1), "a tenth held out; 1 sound beside them not used"),
        ("train/5 boat/5", (9, 1), "a tenth held out"),  # two words
        ("yes/5 no/5 9", (18, 1), "a tenth held out"),
        ("val/5", None, "has val/ and no train/"),
        ("train/5 Training/5", None, "two folders for one split"),
        ("train/a/5 boat/5", None, "a split or a class"),
        ("a/train/5 a/test/5 b/5", None, "a/ holds test/, and splits stand above"),
        ("trainA/5 trainB/5", None, "two domains"),
    ],
)
def test_splits_are_those_of_folders_of_pictures(tmp_path, there, sizes, says):
    for number, part in enumerate(there.split()):
        folder, _, count = part.rpartition("/")
        write(tmp_path / folder, int(count), first=20 * number)
    if sizes is None:
        with pytest.raises(UserError, match=says):
            load.load(f"wav:{tmp_path}")
        return
    data = load.load(f"wav:{tmp_path}")
    assert (data.train.size, data.test.size) == sizes
    assert says in reading.line(data)


def test_floats_a_little_beyond_full_scale_are_clipped_and_told(tmp_path):
    write(tmp_path, dtype=np.float32)
    assert "clipped" not in reading.line(load.load(f"wav:{tmp_path}"))
    wavfile.write(tmp_path / "05.wav", RATE, (WAVE * 2.5).astype(np.float32))
    data = load.load(f"wav:{tmp_path}")
    assert "1 sound clipped at ±1 (up to 1.25 in 05.wav)" in reading.line(data)
    assert max(np.abs(source.whole(part)["x"]).max() for part in (data.train, data.test)) == 1


def mistakes(root):
    def damaged(content):
        write(root)
        (root / "05.wav").write_bytes(content)

    def replaced(samples):
        wavfile.write(root / "05.wav", RATE, samples)

    return {
        "no folder": (lambda: None, "there is no such folder"),
        "no sounds": (lambda: root.mkdir(), "holds no sounds"),
        "one sound": (lambda: write(root, 1), "one sound"),
        "two rates": (lambda: (write(root), write(root, 1, rate=16000, first=5)), "05.wav has 16,000 samples a second"),
        "not a WAV": (lambda: damaged(b"no sound at all"), "05.wav cannot be read"),
        "empty file": (lambda: damaged(b""), "05.wav cannot be read"),
        "no samples": (lambda: (write(root), replaced(np.zeros(0, np.int16))), "05.wav"),
        "floats as of 16 bits": (
            lambda: (write(root), replaced((WAVE * 3000).astype(np.float32))),
            "05.wav has samples of up to 1,500, and floats are sound between -1 and 1; divide",
        ),
        "not finite": (lambda: (write(root), replaced(np.full(9, np.nan, np.float32))), "05.wav holds numbers"),
    }


@pytest.mark.parametrize("case", list(mistakes(None)))
def test_mistakes(tmp_path, case):
    make, says = mistakes(tmp_path / "data")[case]
    make()
    with pytest.raises(UserError, match=says) as caught:
        load.load(f"wav:{tmp_path / 'data'}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", [{"image_size": 8}, {"channels": 1}])
def test_settings_of_images_are_refused(tmp_path, how):
    write(tmp_path)
    with pytest.raises(UserError, match="are for images"):
        load.load(f"wav:{tmp_path}", **how)


def test_a_file_of_samples_plays_them_in_order():
    clips = np.stack([WAVE, -WAVE]).astype(np.float32)
    with wave.open(io.BytesIO(kind.sounds(RATE).sound(clips))) as heard:
        assert (heard.getframerate(), heard.getnchannels(), heard.getsampwidth()) == (RATE, 1, 2)
        samples = np.frombuffer(heard.readframes(heard.getnframes()), "<i2") / 32767
    assert len(samples) == 2 * (1000 + RATE // 10)
    np.testing.assert_allclose(samples[:1000], WAVE, atol=1e-4)
    np.testing.assert_allclose(samples[1800:2800], -WAVE, atol=1e-4)


def test_a_tone_is_a_line_in_its_spectrogram():
    tone = np.sin(2 * np.pi * 0.25 * np.arange(4096))  # half way up
    rows = kind.spectrogram(tone)[:, 10:-10].argmax(axis=0)
    assert (np.abs(rows - kind.TALL / 2) <= 1).all()
    picture = kind.sounds(RATE).picture(np.stack([tone, np.full(4096, np.nan)]), tone[None], None)
    assert picture.pixels.ndim == 3
    assert picture.png[:4] == b"\x89PNG"
