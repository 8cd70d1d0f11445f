"""What the student project "Be ware of what you hear" reports on its slides, with its slips."""

from earlet_bench.evaluation.tables import Table

# Confusion in 0..1, rows human and spoof, columns said human and said spoof; by the row of ours
# that does the same.
CONFUSIONS = {
    "vgg-spectrogram-none": ((0.0, 1.0), (0.0, 1.0)),
    "vgg-spectrogram-multiply": ((0.91, 0.09), (0.10, 0.90)),
}

# Total accuracy in percent.
TOTALS = (
    ("nothing done: 2,530 human, 22,800 spoof", "89"),
    ("multiply: 20,640 human, 22,800 spoof", "90"),
    ("3000: 2,530 human, 3,000 spoof", "91"),
    ("VGG-like, spectrogram (last slide)", "91"),
    ("ResNet50, waveform", "95"),
    ("ResNet50, spectrogram", "91"),
)

# The same by the row of ours that does the same; the last slide's totals name no balance.
PUBLISHED_TOTAL = {
    "vgg-spectrogram-none": "89",
    "vgg-spectrogram-multiply": "90",
    "vgg-spectrogram-undersample": "91",
    "resnet50-spectrogram-multiply": "91",
    "resnet50-waveform-multiply": "95",
}

# Accuracy by attack: multiply, 3000. In the project's order.
BY_ATTACK = (
    ("human", 0.9110, 0.9547),
    ("A07", 0.9988, 0.9833),
    ("A08", None, None),
    ("A09", 0.9988, 0.9996),
    ("A10", 0.8115, 0.9580),
    ("A11", 0.9424, 0.9656),
    ("A12", 0.7912, 0.9762),
    ("A13", 0.7597, 0.9909),
    ("A14", 0.9278, 0.9996),
    ("A15", 0.9174, 0.9657),
    ("A16", 0.9424, 0.9656),
    ("A17", 0.9364, 0.7322),
    ("A18", 0.5345, 0.2441),
    ("A19", 0.9846, 0.8459),
)

SLIPS = (
    "A08 is missing. The rows of A11 and A16 are equal to the last digit in both columns: a slip "
    "of copying, so one of the two is unknown.",
    "One slide says that training was on PA (recordings played back). 22,800 spoofed recordings "
    "and attacks A07 to A19 are LA's, the 5,400 genuine ones that ResNet50 saw as spectrograms are "
    "PA's: most likely the VGG-like network is LA, ResNet50 on spectrograms PA, and ResNet50 on "
    "waveforms LA with copies or a mixture. Rows of different sets are not comparable.",
    "22,800 of 25,330 would be 90.0 % for calling everything spoof; the slides say 89 %.",
    "A total of 90 or 91 % stands beside 53 and 24 % on A18: totals hide attacks. With nine "
    "spoofed recordings for each genuine one accuracy misleads anyway, and neither EER nor "
    "balanced accuracy was reported. Whether copies were made before the split (then they leak "
    "into what is judged) is not said.",
)


def published_tables() -> tuple[Table, Table]:
    """The project's totals and its table by attack, both as published."""
    totals = Table(
        title="As the student project published it: total accuracy in %, ASVspoof 2019",
        header=("row", "total"),
        rows=TOTALS,
        notes=SLIPS,
    )
    by_attack = Table(
        title="As the student project published it: accuracy in % by attack, ASVspoof 2019 LA, "
        "at the network's own decision",
        header=("", "multiply", "3000"),
        rows=tuple((name, _percent(many), _percent(few)) for name, many, few in BY_ATTACK),
        notes=(
            "These numbers of attacks are ASVspoof's: A07 here and A07 of another corpus are "
            "different synthesizers.",
        ),
    )
    return totals, by_attack


def _percent(rate: float | None) -> str:
    return "absent" if rate is None else f"{100 * rate:.2f}"
