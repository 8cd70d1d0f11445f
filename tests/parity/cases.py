"""Which frontends are compared, in which settings, and how far each may be from its definition.

Bounds are in the feature's own unit, two to ten times what was measured here (maxima at a null,
which one more digit of luck makes twice as deep, up to thirty times): float32 sums differ with the
processor's vector width. A wrong window or filter would be a hundred times further off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Case:
    """A frontend in one setting.

    Torch against the float64 definition: `typical` bounds the 99.9th percentile of |error| on
    speech and noise, `largest` the maximum there. ONNX Runtime against torch: `onnx` bounds the
    maximum there. `constructed` bounds either's maximum on silence, square, impulse and half a clip
    of zeros. `reason`: why not less.
    """

    kind: str
    unit: str
    typical: float
    largest: float
    onnx: float
    constructed: float
    reason: str
    variant: str = ""
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """Kind, and variant where there are several."""
        return f"{self.kind}, {self.variant}" if self.variant else self.kind


CASES = (
    Case(
        kind="bands",
        unit="ln power / 4",
        typical=5e-4,
        largest=2e-3,
        onnx=5e-6,
        constructed=2e-3,
        reason="weak bands beside strong ones: float32 leaves 1e-7 of the frame's amplitude",
    ),
    Case(
        kind="cosine-gauss",
        variant="fast",
        settings={"start": "mel"},
        unit="ln mean square",
        typical=2e-2,
        largest=6e-2,
        onnx=1e-5,
        constructed=0.1,
        reason="by design: what distant frequencies add to each other, below fast_cut, is left out",
    ),
    Case(
        kind="cosine-gauss",
        variant="exact",
        settings={"start": "mel", "form": "exact"},
        unit="ln mean square",
        typical=5e-5,
        largest=1e-4,
        onnx=2e-5,
        constructed=1e-4,
        reason="sums of 705 products in float32, above a floor of 1e-3",
    ),
    Case(
        kind="cqcc",
        unit="ln power, cosine-transformed",
        typical=0.1,
        largest=0.5,
        onnx=0.3,
        constructed=40.0,
        reason="c0 is about -1,700, where float32 has steps of 1e-4; between the lines of a "
        "periodic square the power is 0, the feature is the floor of 2e-16, and float32 leaves "
        "1e-7 of the clip's amplitude there (hundreds of times less than 16 bits' own noise)",
    ),
    Case(
        kind="lfcc",
        variant="2021",
        settings={"definition": "2021"},
        unit="log10 power, cosine-transformed",
        typical=5e-5,
        largest=2e-4,
        onnx=1e-4,
        constructed=3e-4,
        reason="float32's steps at coefficients of tens",
    ),
    Case(
        kind="lfcc",
        variant="2019",
        settings={"definition": "2019"},
        unit="log10 power, cosine-transformed",
        typical=2e-4,
        largest=5e-4,
        onnx=1e-4,
        constructed=3e-4,
        reason="float32's steps at coefficients of tens; weak filters beside strong ones",
    ),
    Case(
        kind="log-mel",
        unit="ln power",
        typical=1e-3,
        largest=5e-3,
        onnx=2e-5,
        constructed=1e-3,
        reason="weak filters beside strong ones: float32 leaves 1e-7 of the frame's amplitude",
    ),
    Case(
        kind="log-mel",
        variant="HTK in dB",
        settings={"scale": "htk", "norm": "none", "log": "db", "range_db": 80.0},
        unit="dB",
        typical=3e-3,
        largest=2e-2,
        onnx=1e-4,
        constructed=1e-2,
        reason="as log-mel, and one ln is 4.3 dB",
    ),
    Case(
        kind="log-power",
        unit="ln magnitude",
        typical=2e-2,
        largest=1,
        onnx=1e-5,
        constructed=1,
        reason="single bins at a null, with no floor to speak of (e^-80), where kernels stored in "
        "float32 tell, though they are added up in double precision",
    ),
    Case(
        kind="log-power",
        variant="Res2Net",
        settings={
            "n_fft": 512,
            "window_samples": 400,
            "hop_samples": 160,
            "window": "povey",
            "of": "power",
            "bins": 0,
            "frames": 400,
        },
        unit="ln power",
        typical=2e-4,
        largest=1,
        onnx=1e-5,
        constructed=5e-3,
        reason="as log-power",
    ),
    Case(
        kind="mfcc",
        unit="dB, cosine-transformed",
        typical=2e-3,
        largest=5e-3,
        onnx=5e-4,
        constructed=1e-2,
        reason="128 values of up to 100 dB are summed: float32's steps of 8e-6 dB, and c0 of "
        "silence is -1131",
    ),
    Case(
        kind="sinc",
        unit="amplitude",
        typical=2e-7,
        largest=5e-7,
        onnx=1e-7,
        constructed=1e-6,
        reason="sums of 129 products in float32, full scale 1",
    ),
    Case(
        kind="spectrogram",
        unit="dB",
        typical=5e-3,
        largest=2e-2,
        onnx=5e-5,
        constructed=2e-2,
        reason="bins 80 dB under the clip's loudest: float32 leaves 1e-7 of the frame's amplitude",
    ),
    Case(
        kind="spectrogram-image",
        unit="grey value",
        typical=5e-5,
        largest=3e-4,
        onnx=2e-4,
        constructed=2e-4,
        reason="as spectrogram: 0.01 dB of the 80 dB that the grey scale spans",
    ),
    Case(
        kind="waveform-image",
        unit="grey value",
        typical=5e-5,
        largest=2e-4,
        onnx=1e-5,
        constructed=2e-4,
        reason="a stroke's soft edge moves by float32's rounding of the amplitude times 224 rows",
    ),
)
