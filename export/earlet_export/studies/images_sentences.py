"""What the trainings of the study of pictures say in words, each by a rule that it states."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from earlet_export.studies.compare import difference
from earlet_export.studies.images_rows import REMEDIES, Remedy, Row, Seen, share
from earlet_export.studies.study import mean_and_deviation, percent

# Below this part of the genuine recordings called human, everything is called spoof; and likewise.
NOBODY = 0.05
BY_RULE = (
    "better or worse where the 95 % t-interval of the pairs' differences, of two seeds or more, "
    "leaves out 0"
)
PAIRS = (
    "A pair is two trainings with the same seed in rows that are otherwise equal; ± beside it is "
    "over the pairs. The intervals hold seeds alone: other speakers and attacks would move the "
    "figures further."
)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of one training in 0..1; `sign`: +1 where more is better."""

    name: str
    of: Callable[[Seen], float]
    sign: int


EER = Measure(name="EER", of=lambda s: s.eer, sign=-1)
OWN = Measure(name="balanced accuracy at the own decision", of=lambda s: s.own.balanced, sign=1)
CHOSEN = Measure(
    name="balanced accuracy at the threshold chosen on dev", of=lambda s: s.chosen.balanced, sign=1
)


def compared(
    pairs: Sequence[tuple[Seen, Seen]], measure: Measure, *, second: str
) -> tuple[str, int]:
    """Pairs -> second less first in words, and whether `second` is better (1), worse (-1) or 0."""
    firsts, seconds = ([measure.of(pair[side]) for pair in pairs] for side in (0, 1))
    found = difference(seconds, firsts)
    told = f"{measure.name} {percent(firsts)} % against {percent(seconds)} %"
    if len({first.seed for first, _ in pairs}) == 1:
        return f"{told}, {100 * found.mean:+.1f} points: cannot be told from one seed", 0
    told = f"{told}, {found.points} points"
    # Equal rows differ by rounding at most.
    if found.low < 1e-12 and found.high > -1e-12:
        return f"{told}: cannot be told from {len(pairs)} pairs", 0
    verdict = 1 if found.mean * measure.sign > 0 else -1
    word = "better" if verdict > 0 else "worse"
    return f"{told}: {second} is {word}, {len(pairs)} pairs", verdict


def pairs_of(
    seen: Sequence[Seen], first: Callable[[Row], bool], second: Callable[[Row], bool], *, by: str
) -> list[tuple[Seen, Seen]]:
    """Trainings that differ in `by` (picture or remedy) alone; the seed is the same."""
    same = [name for name in ("network", "picture", "remedy") if name != by]

    def key(one: Seen) -> tuple[object, ...]:
        return (one.seed, *(getattr(one.row, name) for name in same))

    seconds = {key(s): s for s in seen if second(s.row)}
    return [(s, seconds[key(s)]) for s in seen if first(s.row) and key(s) in seconds]


def nothing_done(columns: Mapping[str, Sequence[Seen]]) -> list[str]:
    """Whether everything is predicted spoof where nothing is done, as the project began."""
    told = []
    for title, seen in columns.items():
        if seen[0].row.remedy != "none":
            continue
        human, _ = mean_and_deviation([s.own.human for s in seen])
        if human < NOBODY:
            verdict = "everything is predicted spoof, as the project tells of its beginning"
        elif human < 0.5:
            verdict = "not everything is predicted spoof as in the project, yet most of it is"
        else:
            verdict = "not everything is predicted spoof as the project tells of its beginning"
        told.append(
            f"{title}: {verdict} (rule: fewer than {100 * NOBODY:.0f} % of the genuine "
            f"recordings called human at the own decision; here {share(seen, 'own', 'human')} %). "
            f"At 9 to 1 that is an accuracy of {share(seen, 'own', 'at_nine')} %, where calling "
            f"everything spoof gives 90.0 %; balanced accuracy {share(seen, 'own', 'balanced')} %, "
            f"and {share(seen, 'chosen', 'balanced')} % at the threshold chosen on dev; EER "
            f"{percent([s.eer for s in seen])} %."
        )
    return told


def one_sided(columns: Mapping[str, Sequence[Seen]]) -> list[str]:
    """Rows that a remedy left, or made, blind to one of the two."""
    told = []
    for title, seen in columns.items():
        blind = _blind(seen)
        if seen[0].row.remedy == "none" or not blind:
            continue
        said = "spoof" if blind == "genuine" else "human"
        told.append(
            f"{title}: at its own decision everything is predicted {said} (rule: fewer than "
            f"{100 * NOBODY:.0f} % of the {blind} recordings judged rightly), so the remedy did "
            f"not repair the decision; balanced accuracy {share(seen, 'own', 'balanced')} %, and "
            f"{share(seen, 'chosen', 'balanced')} % at the threshold chosen on dev."
        )
    return told


def _blind(seen: Sequence[Seen]) -> str:
    """Which recordings a row does not find by its own decision: genuine, spoofed, or neither."""
    if mean_and_deviation([s.own.human for s in seen])[0] < NOBODY:
        return "genuine"
    if mean_and_deviation([s.own.spoof for s in seen])[0] < NOBODY:
        return "spoofed"
    return ""


def remedies(seen: Sequence[Seen]) -> list[str]:
    """Each remedy against nothing done, then the two against each other."""
    told = []
    asked: tuple[tuple[Remedy, Remedy], ...] = (
        ("none", "multiply"),
        ("none", "undersample"),
        ("multiply", "undersample"),
    )
    for first, second in asked:
        pairs = pairs_of(seen, partial(_remedied, first), partial(_remedied, second), by="remedy")
        if not pairs:
            continue
        name = REMEDIES[second]
        ranks, better_ranks = compared(pairs, EER, second=name)
        decides, better_decides = compared(pairs, OWN, second=name)
        at_dev, _ = compared(pairs, CHOSEN, second=name)
        meaning = ""
        if better_decides > 0 and better_ranks <= 0:
            meaning = " So the remedy moved where it decides; that it tells more apart is not seen."
        published = " Published totals: multiply 90 %, 3000 91 %." * (first == "multiply")
        told.append(
            f"{REMEDIES[first]} against {REMEDIES[second]}: {decides}; {at_dev}; {ranks} "
            f"({BY_RULE}).{meaning}{published}"
        )
    return told


def pictures(seen: Sequence[Seen]) -> list[str]:
    """Spectrogram against waveform, for each network."""
    told = []
    for network in dict.fromkeys(s.row.network for s in seen):
        own = [s for s in seen if s.row.network == network]
        pairs = pairs_of(
            own,
            lambda row: row.picture == "spectrogram",
            lambda row: row.picture == "waveform",
            by="picture",
        )
        if pairs:
            ranks, decides = (compared(pairs, m, second="waveform")[0] for m in (EER, OWN))
            published = (
                " Published totals: waveform 95 %, spectrogram 91 %, on different sets."
                if network == "ResNet50"
                else ""
            )
            told.append(
                f"{network}, spectrogram against waveform: {ranks}; {decides} ({BY_RULE})."
                f"{published}"
            )
    return told


def hidden(columns: Mapping[str, Sequence[Seen]], *, human: float) -> list[str]:
    """What totals hide: a bad attack, and another order than the EER's."""

    def mean(title: str, of: Callable[[Seen], float]) -> float:
        return mean_and_deviation([of(s) for s in columns[title]])[0]

    # A row that calls everything spoof finds every attack.
    seeing = [t for t in columns if not _blind(columns[t])] or list(columns)
    best = max(seeing, key=lambda title: mean(title, lambda s: s.own.total))
    at_nine = max(columns, key=lambda title: mean(title, lambda s: s.own.at_nine))
    lowest = min(columns, key=lambda title: mean(title, lambda s: s.eer))
    attacks = columns[best][0].own.by_attack
    found = {a: mean(best, lambda s, a=a: s.own.by_attack[a]) for a in attacks}  # type: ignore[misc]
    worst = min(found, key=lambda a: found[a])
    total = percent([s.own.total for s in columns[best]])
    genuine = percent([s.own.human for s in columns[best]])
    among = " of the rows that find both" * (len(seeing) < len(columns))
    told = [
        f"Totals hide attacks: {best} has the highest total accuracy at its own decision{among}, "
        f"{total} % (calling everything spoof: {100 * (1 - human):.1f} %), finds "
        f"{100 * found[worst]:.1f} % of {worst} and calls {genuine} % of the genuine recordings "
        "human. In the project 53 and 24 % of A18 stood under totals of 90 and 91 %."
    ]
    if len(columns) > 1:
        same = "the same row" if at_nine == lowest else "not the same row"
        told.append(
            f"By accuracy at 9 to 1 the best row is {at_nine} "
            f"({100 * mean(at_nine, lambda s: s.own.at_nine):.1f} %, EER "
            f"{100 * mean(at_nine, lambda s: s.eer):.1f} %), by EER it is {lowest} "
            f"({100 * mean(lowest, lambda s: s.own.at_nine):.1f} %, EER "
            f"{100 * mean(lowest, lambda s: s.eer):.1f} %): {same}."
        )
    return told


def _remedied(remedy: Remedy, row: Row) -> bool:
    return row.remedy == remedy
