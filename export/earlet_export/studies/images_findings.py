"""What came of the study of pictures: sentences, tables and two drawings from its trainings."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from earlet_bench.evaluation.tables import Table
from earlet_export.studies.grid import Answer
from earlet_export.studies.images_pictures import draw_attacks, draw_confusions
from earlet_export.studies.images_published import CONFUSIONS, PUBLISHED_TOTAL, published_tables
from earlet_export.studies.images_rows import Decision, Row, Seen, look, outcome_of, share
from earlet_export.studies.images_sentences import (
    PAIRS,
    hidden,
    nothing_done,
    one_sided,
    pictures,
    remedies,
)
from earlet_export.studies.measures import eval_set
from earlet_export.studies.study import Findings, percent

DECIDED: dict[Decision, str] = {
    "own": "at the network's own decision",
    "chosen": "at the threshold chosen on dev",
}
EXPLAINED: dict[Decision, str] = {
    "own": "The network's own decision is the likelier label, the larger of the two outputs of "
    "the softmax, as the student project decided. It carries the proportions of training along: "
    "where spoof was nine times as frequent, doubt becomes spoof.",
    "chosen": "The threshold is the score at which both kinds of error are equally frequent on "
    "dev. It needs labelled recordings of both kinds and no other training, and takes out what "
    "the proportions of training put into the decision. EER needs no decision at all.",
}
ACCURACIES = (
    "Total: all that is right, with as many of each as eval has. At 9 to 1: the same rates, were "
    "there nine spoofed recordings for each genuine one. Balanced: were there as many of each. "
    "Accuracy at 9 to 1 misleads: whoever calls everything spoof has 90 %."
)


def find_images(answers: Sequence[Answer], out: Path, *, rows: Sequence[Row]) -> Findings:
    """Any part of the trainings -> what they say; pictures go into `out`."""
    found = [(row.variant.title, look(row, answers)) for row in rows]
    columns = {title: seen for title, seen in found if seen}
    variant = answers[0].variant
    labelled = eval_set(variant.corpus)
    human = sum(not t.is_spoof for t in labelled.trials) / len(labelled.trials)
    known = (labelled.known or frozenset()) & {t.system for t in labelled.trials if t.is_spoof}
    where = f"{variant.set}, eval"
    titles = {row.variant.name: row.variant.title for row in rows}
    published = {titles[name]: c for name, c in CONFUSIONS.items() if name in titles}
    seen = [one for trainings in columns.values() for one in trainings]
    comparisons = [*remedies(seen), *pictures(seen)]
    return Findings(
        answers=(
            *nothing_done(columns),
            *one_sided(columns),
            *comparisons,
            *([PAIRS] if comparisons else []),
            *hidden(columns, human=human),
        ),
        tables=(
            _accuracies(columns, "own", where=where, human=human),
            _accuracies(columns, "chosen", where=where, human=human),
            _attacks(columns, "own", known=known, where=where),
            _attacks(columns, "chosen", known=known, where=where),
            *published_tables(),
        ),
        pictures=(
            draw_confusions(
                columns,
                out / "images-confusion.png",
                published=published,
                title=f"{where}: rows are the truth, columns what was said; in % of the row, "
                "mean over seeds",
            ),
            draw_attacks(
                columns,
                out / "images-attacks.png",
                known=known,
                title=f"{where}: recordings judged rightly in %; bars are the network's own "
                "decision",
            ),
        ),
    )


def _accuracies(
    columns: Mapping[str, Sequence[Seen]], which: Decision, *, where: str, human: float
) -> Table:
    """One decision's rates, beside the measures that need none and what was published."""
    shares = ("human", "spoof", "total", "at_nine", "balanced")
    rows = [
        (
            title,
            *(share(seen, which, name) for name in shares),
            *(_rates(seen, name) for name in ("eer", "known", "unknown", "dev_eer")),
            str(len(seen)),
            *([PUBLISHED_TOTAL.get(seen[0].row.variant.name, "-")] if which == "own" else []),
        )
        for title, seen in columns.items()
    ]
    header = (
        *("", "human right", "spoof right", "total", "at 9 to 1", "balanced"),
        *("EER", "EER trained on", "EER other attacks", "EER dev", "trainings"),
        *(["total, as published of ASVspoof 2019"] if which == "own" else []),
    )
    everything = ("calling everything spoof", "0.0", "100.0", f"{100 * (1 - human):.1f}", "90.0")
    rows.append((*everything, "50.0", *["-"] * (len(header) - len(everything) - 1)))
    return Table(
        title=f"{where}: accuracy in % {DECIDED[which]}, EER in %",
        header=header,
        rows=tuple(rows),
        notes=(EXPLAINED[which], ACCURACIES),
    )


def _attacks(
    columns: Mapping[str, Sequence[Seen]], which: Decision, *, known: frozenset[str], where: str
) -> Table:
    names = list(dict.fromkeys(a for seen in columns.values() for a in seen[0].own.by_attack))
    return Table(
        title=f"{where}: accuracy in % by attack, {DECIDED[which]}",
        header=("", *columns),
        rows=(
            ("human", *(share(seen, which, "human") for seen in columns.values())),
            *(
                (
                    f"{name}{' (trained on)' if name in known else ''}",
                    *(
                        percent([outcome_of(s, which).by_attack[name] for s in seen])
                        for seen in columns.values()
                    ),
                )
                for name in names
            ),
            ("total", *(share(seen, which, "total") for seen in columns.values())),
        ),
    )


def _rates(seen: Sequence[Seen], name: str) -> str:
    """One of a training's equal error rates over the seeds, in percent; `-` where there is none."""
    return percent([rate for s in seen if not math.isnan(rate := float(getattr(s, name)))])
