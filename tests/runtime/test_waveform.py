"""What counts as a recording, and what is said of what does not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earlet.errors import AudioError
from earlet.manifest import WindowPolicy
from earlet.waveform import Channel, Seen, as_piece, as_waveform, check_length, level_dbfs

RNG = np.random.default_rng(5)
SOUND = RNG.uniform(-0.9, 0.9, 1000)


@given(arrays(np.int16, st.integers(1, 200)))
def test_16_and_32_bit_integers_are_scaled_to_the_same_waveform(
    samples: np.ndarray[tuple[int], np.dtype[np.int16]],
) -> None:
    wave = as_waveform(samples)
    assert wave.dtype == np.float32
    assert np.abs(wave).max() <= 1
    np.testing.assert_array_equal(wave * 32768, samples)
    np.testing.assert_array_equal(as_waveform(samples.astype(np.int32) << 16), wave)


@pytest.mark.parametrize("kind", ["float32", "float64", "int16", "int32"])
def test_all_four_types_carry_the_same_sound(kind: str) -> None:
    scale = {"int16": 2**15, "int32": 2**31}.get(kind, 1)
    wave = as_waveform((SOUND * scale).astype(kind))
    np.testing.assert_allclose(wave, SOUND, atol=1 / 2**15)


@pytest.mark.parametrize("kind", ["uint8", "int64", "bool", "complex64", "float16"])
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(AudioError, match=f"samples of type {kind} are not understood"):
        as_waveform(np.zeros(10, dtype=kind))


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize(("channel", "expected"), [(0, 0.25), (1, -0.75), ("mean", -0.25)])
def test_a_channel_is_picked_whichever_way_the_array_lies(
    channel: Channel, expected: float, turn: bool
) -> None:
    stereo = np.full((2, 50), [[0.25], [-0.75]], dtype=np.float32)
    wave = as_waveform(stereo.T if turn else stereo, channel=channel)
    np.testing.assert_array_equal(wave, np.full(50, expected, dtype=np.float32))


@pytest.mark.parametrize("shape", [(2, 400), (400, 2), (6, 400)])
def test_more_channels_than_one_need_a_choice(shape: tuple[int, int]) -> None:
    with pytest.raises(AudioError, match=rf"has {min(shape)} channels.*--channel mean"):
        as_waveform(np.zeros(shape, dtype=np.float32))


def test_a_single_channel_in_two_dimensions_is_mono() -> None:
    for shape in ((1, 400), (400, 1), (1, 1)):
        assert as_waveform(np.zeros(shape, dtype=np.float32)).shape == (max(shape),)
    assert as_waveform(SOUND, channel="mean").shape == SOUND.shape


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_that_is_not_there_is_refused(channel: int) -> None:
    with pytest.raises(AudioError, match=f"no channel {channel}: the recording has 2"):
        as_waveform(np.zeros((2, 50), dtype=np.float32), channel=channel)


def test_a_channel_of_another_kind_is_refused() -> None:
    with pytest.raises(AudioError, match="a number or 'mean', found 'left'"):
        as_waveform(SOUND, channel="left")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(40, 40), (100, 200), (3, 4, 5)])
def test_an_array_that_hides_its_channels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"found an array of shape|does not tell its channels"):
        as_waveform(np.zeros(shape, dtype=np.float32))


def test_an_empty_recording_is_refused() -> None:
    for shape in ((0,), (0, 2), (2, 0)):
        with pytest.raises(AudioError, match="the recording is empty"):
            as_waveform(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_with_its_place(bad: float) -> None:
    sound = SOUND.copy()
    sound[[7, 9]] = bad
    with pytest.raises(AudioError, match=r"2 of 1000 samples are not finite.*first is sample 7"):
        as_waveform(sound)


def test_floats_in_the_scale_of_integers_are_refused_with_the_remedy() -> None:
    with pytest.raises(AudioError, match=r"whole numbers.*divide them by 32768"):
        as_waveform(np.rint(SOUND * 32768))
    with pytest.raises(AudioError, match=r"reach 3\d\d\d\..*expected floats in \[-1, 1\]"):
        as_waveform(SOUND * 4096)


def test_quiet_integers_in_floats_do_not_pass_as_loud_noise() -> None:
    with pytest.raises(AudioError, match="every sample is -1, 0 or 1"):
        as_waveform(RNG.integers(-1, 2, 1000).astype(np.float32))


def test_clicks_silence_and_a_little_overshoot_are_sound() -> None:
    click = np.zeros(1000, dtype=np.float32)
    click[500] = 1
    assert as_waveform(click).max() == 1
    assert not as_waveform(np.zeros(10, dtype=np.float32)).any()
    assert as_waveform(np.array([1.2, -1.4])).min() == np.float32(-1.4)


def test_too_short_is_refused_in_seconds_of_the_recordings_own_rate() -> None:
    policy = WindowPolicy(window_samples=16_000, hop_samples=16_000, min_samples=8_000)
    wave = np.zeros(4410, dtype=np.float32)
    with pytest.raises(AudioError, match=r"is 0\.1 s long.* needs at least 0\.5 s"):
        check_length(wave, policy, sample_rate_hz=44_100, to_hz=16_000)
    check_length(np.zeros(22_050, np.float32), policy, sample_rate_hz=44_100, to_hz=16_000)


def test_level_is_zero_db_for_a_full_scale_square_and_minus_infinity_for_silence() -> None:
    square = np.tile(np.array([1, -1], dtype=np.float32), 100)
    assert level_dbfs(square) == 0
    assert level_dbfs(square / np.float32(10)) == pytest.approx(-20, abs=1e-5)
    assert level_dbfs(np.zeros_like(square)) == -math.inf


def seen_in_pieces(sound: np.ndarray[tuple[int], np.dtype[np.float64]], size: int) -> Seen:
    seen = Seen()
    for piece in np.split(sound, range(size, len(sound), size)):
        seen = seen.with_more(piece, kind="float64")
    return seen


@pytest.mark.parametrize("size", [1, 7, 999])
@pytest.mark.parametrize("kind", ["sound", "nan", "loud", "integers", "quiet"])
def test_what_is_said_of_a_sound_does_not_depend_on_its_pieces(kind: str, size: int) -> None:
    sound = {
        "sound": SOUND,
        "nan": np.where(np.arange(1000) % 300 == 299, np.nan, SOUND),
        "loud": SOUND * 4096,
        "integers": np.rint(SOUND * 32768),
        "quiet": np.rint(SOUND),
    }[kind]

    def said(judge: object) -> str:
        try:
            judge()  # type: ignore[operator]
        except AudioError as error:
            return str(error)
        return "nothing"

    def whole() -> None:
        seen = seen_in_pieces(sound, size)
        seen.check()
        seen.check_not_integers()

    assert said(whole) == said(lambda: as_waveform(sound))
    assert (said(whole) == "nothing") == (kind == "sound")
    assert seen_in_pieces(sound, size).good == (kind in ("sound", "quiet"))


@given(st.sampled_from(["float32", "float64", "int16", "int32"]), st.integers(1, 99))
def test_pieces_of_any_type_are_the_waveform(kind: str, cut: int) -> None:
    scale = {"int16": 2**15, "int32": 2**31}.get(kind, 1)
    stereo = (np.stack([SOUND[:100], SOUND[100:200]], axis=1) * scale).astype(kind)
    for channel in (0, 1, "mean"):
        first, seen = as_piece(stereo[:cut], channel=channel, before=Seen())
        second, seen = as_piece(stereo[cut:], channel=channel, before=seen)
        assert seen.samples == 100
        whole = as_waveform(stereo, channel=channel)
        np.testing.assert_array_equal(np.concatenate([first, second]), whole, strict=True)


@pytest.mark.parametrize("kind", ["int16", "int32"])
def test_an_integer_is_the_float_nearest_to_its_share_of_full_scale(kind: str) -> None:
    most = np.iinfo(kind)
    drawn = np.random.default_rng(0).integers(most.min, most.max, 5000, endpoint=True, dtype=kind)
    samples = np.concatenate([drawn, np.array([most.min, most.max, -1, 0, 1], kind)])
    found, _ = as_piece(samples, channel=None, before=Seen())
    assert found.tobytes() == (samples / -float(most.min)).astype(np.float32).tobytes()
    turned = samples.astype(samples.dtype.newbyteorder())
    assert as_piece(turned, channel=None, before=Seen())[0].tobytes() == found.tobytes()


def test_an_empty_piece_is_none() -> None:
    for shape in ((0,), (0, 2)):
        piece, seen = as_piece(np.zeros(shape), channel=None, before=Seen(samples=3))
        assert (piece.shape, seen) == ((0,), Seen(samples=3))


def test_in_a_piece_channels_come_last() -> None:
    one_moment = np.array([[0.5, -0.5]])
    assert as_piece(one_moment, channel=1, before=Seen())[0].tolist() == [-0.5]
    with pytest.raises(AudioError, match=r"turned first: samples\.T"):
        as_piece(np.zeros((2, 400)), channel=0, before=Seen())
    with pytest.raises(AudioError, match="has 2 channels"):
        as_piece(one_moment, channel=None, before=Seen())
