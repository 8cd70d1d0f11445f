"""The page of `earlet events --markdown`: what was heard, what was found when, what that means.

Written for someone who knows neither earlet nor the recordings.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earlet_bench.device import Device
from earlet_bench.evaluation.intervals import RESAMPLES
from earlet_bench.evaluation.tables import Table
from earlet_bench.tuning.judge import Target
from earlet_bench.tuning.material import Material, System
from earlet_bench.tuning.page import HEADS, Row, cells, in_words
from earlet_bench.tuning.subject import Subject

# What the positive label of the usual detectors is in plain words.
_PLAIN = {"spoof": "synthetic speech"}


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """All that one call of the command heard and found.

    `rows`: subject by subject, each on every one of `materials`. `picture`: what the page shows,
    by file name, and the words under it.
    """

    positive: str
    subjects: Sequence[Subject]
    rows: Sequence[Row]
    materials: Sequence[Material]
    systems: Mapping[str, System]
    device: Device
    created: str
    picture: tuple[str, str] | None = None


def events_page(sitting: Sitting, *, attacks: Sequence[Table]) -> str:
    """Markdown, to be read from top to bottom. `attacks`: `system_tables`, where asked for."""
    names = list(dict.fromkeys(s.bundle.manifest.name for s in sitting.subjects))
    sets = " and ".join(one.data for one in sitting.materials)
    parts = [f"# Events over time: {_listed(names)} on {sets}", *_in_short(sitting)]
    if sitting.picture is not None:
        name, words = sitting.picture
        parts += [f"![Score and alarms over time]({name})", words]
    parts += [_heard(sitting), _main_table(sitting).markdown(), _columns(sitting)]
    parts += [_policies(sitting), *(table.markdown() for table in attacks), _made(sitting)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def system_tables(
    rows: Sequence[Row], materials: Sequence[Material], systems: Mapping[str, System]
) -> list[Table]:
    """A table of each set: by synthesizer how many stretches were found, and how soon half."""
    return [
        _system_table([row for row in rows if row.data == one.data], one.data, systems)
        for one in materials
    ]


def _system_table(rows: Sequence[Row], data: str, systems: Mapping[str, System]) -> Table:
    def targets(row: Row, system: str) -> list[Target]:
        return [t for o in row.outcomes for t in o.targets if t.system == system]

    found = sorted({t.system for row in rows for o in row.outcomes for t in o.targets})
    header: tuple[str, ...] = ("synthesizer", *(row.what for row in rows))
    notes = ["Of its stretches so many were found, half of them (missed ones last) within that."]
    named = any(name in systems for name in found)
    if named:
        header = ("synthesizer", "in training data", *header[1:])
        notes.append(
            "In training data: the train split of the corpus holds that synthesizer, so that a "
            "detector trained on it knows its kind."
        )
    shown = []
    for name in found:
        known = systems.get(name)
        words = [name if known is None else f"{name}, {known.name}"]
        if named:
            words.append("-" if known is None else "yes" if known.trained else "no")
        shown.append((*words, *(_found(targets(row, name)) for row in rows)))
    return Table(
        title=f"By synthesizer: {data}", header=header, rows=tuple(shown), notes=tuple(notes)
    )


def _found(targets: Sequence[Target]) -> str:
    """`5 of 6, half within 7.3 s`."""
    latencies = sorted(math.inf if t.latency_s is None else t.latency_s for t in targets)
    half = latencies[(len(latencies) - 1) // 2]
    hits = sum(math.isfinite(one) for one in latencies)
    words = f"{hits} of {len(targets)}"
    return words if math.isinf(half) else f"{words}, half within {half:.1f} s"


def _in_short(sitting: Sitting) -> list[str]:
    """What somebody who reads nothing else should know: each detector as it is delivered."""
    sought, first = _sought(sitting), sitting.materials[0]
    tuned = {id(s.bundle) for s in sitting.subjects if s.kind == "tuned"}
    lines = []
    for subject in sitting.subjects:
        if subject.kind == "untuned" and id(subject.bundle) in tuned:
            continue
        row = next(r for r in sitting.rows if (r.what, r.data) == (subject.what, first.data))
        found = row.figures
        hits = f"{found.targets - found.misses} of {found.targets}"
        soon = (
            "more than half were not noticed"
            if found.median_latency_s is None
            else f"half within {found.median_latency_s.value:.1f} s (missed ones count as later)"
        )
        lines.append(
            f"**{subject.what}**, as it is delivered, noticed {hits} stretches of {sought} on "
            f"{first.data}, {soon}, and raised {found.false_alarms_per_hour.value:.2f} false "
            "alarms per hour of the rest."
        )
    return lines


def _heard(sitting: Sitting) -> str:
    return "\n\n".join(["## What was heard", *(_words(m, sitting) for m in sitting.materials)])


def _words(one: Material, sitting: Sitting) -> str:
    sought = _sought(sitting)
    people = f" of {one.people} people" if one.people else ""
    makers = f" by {one.systems} synthesizers" if one.systems else ""
    text = (
        f"**{one.data}**: {one.recordings} recordings, {one.hours:.2f} h{people}. {one.turning} of "
        f"them hold {sought}{makers}, {one.sought_h:.2f} h in all."
    )
    if one.mixed is None:
        return f"{text} What is where is labelled in segments.csv."
    return (
        f"{text} They are calls that `earlet corpus long` mixed (seed {one.mixed.seed}) of "
        f"{one.mixed.distinct} recordings of the {one.mixed.split} split of the corpus "
        f"{one.mixed.corpus}: one person's recordings in a row with pauses between, at one level, "
        f"in one steady room noise. In a call that holds {sought}, a synthesizer takes over about "
        "half-way and stays until the end, with the voice of the same person where the corpus has "
        "it."
    )


def _main_table(sitting: Sitting) -> Table:
    """Hours stand in the words; which set, only where there are several."""
    out = {HEADS.index("hours")} | ({1} if len(sitting.materials) == 1 else set())
    keep = [k for k in range(len(HEADS)) if k not in out]
    return Table(
        title="What was found, and what was not",
        header=tuple(HEADS[k] for k in keep),
        rows=tuple(tuple(cells(row)[k] for k in keep) for row in sitting.rows),
    )


def _columns(sitting: Sitting) -> str:
    sought = _sought(sitting)
    window_s = max(end - start for start, end, _ in sitting.subjects[0].tracks[0][0].verdicts)
    return "\n".join(
        [
            "A detector gives a score several times a second; a policy makes events of them, and "
            "an event is an alarm. It counts from the moment somebody would be told of it.",
            "",
            f"- **false alarms per hour**: alarms where there was no {sought}, per hour without "
            f"it. (Of a window of {window_s:.3g} s part may still hold it for that long after its "
            "end; that time is left out.)",
            f"- **found**: stretches of {sought} in which an alarm was raised. An alarm that "
            "already stood when the stretch began finds nothing: nobody is told anything new.",
            "- **time to detection**: from the beginning of a stretch until its alarm is known, in "
            "the sound's own time. Every stretch counts, a missed one as later than any: where "
            "more than half (or than one in ten) were missed, the answer is *never*.",
            "- **goes by unnoticed**: how much of a stretch is over before it is known, on "
            "average; all of it where it is missed.",
            f"- **stands falsely**: the share of the time without {sought} in which an alarm "
            "stands. One that never ends is a single false alarm, and shows here.",
            "- **repeats**: further alarms in a stretch that was found already.",
            "",
            f"In brackets 95 % intervals: whole speakers were drawn again {RESAMPLES} times, among "
            f"recordings with {sought} and among those without; that of the false alarms is at "
            "least as wide as their mere count allows (Poisson).",
        ]
    )


def _policies(sitting: Sitting) -> str:
    lines = ["## The policies in words", ""]
    for one in sitting.subjects:
        words = f"- **{one.what}**: {in_words(one.policy)}."
        point = one.bundle.manifest.event_point
        if one.kind == "untuned":
            words += " Round numbers around the bundle's threshold, chosen on no long recordings."
        elif point is not None:
            words += (
                f" Chosen by `earlet tune` on {point.data} ({point.hours:.2f} h): there "
                f"{point.false_alarms_per_hour:.2f} false alarms per hour, "
                f"{point.targets - point.misses} of {point.targets} found. (Where it was chosen, a "
                "policy looks better than it is.)"
            )
        lines.append(words)
    return "\n".join(lines)


def _made(sitting: Sitting) -> str:
    device = sitting.device
    lines = ["## Made with", ""]
    for bundle in {id(s.bundle): s for s in sitting.subjects}.values():
        track = bundle.tracks[0][0]
        start_s, end_s, _ = track.verdicts[0]
        every = f", every {track.verdicts[1][1] - end_s:.3g} s" if len(track.verdicts) > 1 else ""
        known = bundle.bundle.manifest.provenance.training_data.partition(", protocols ")[0]
        lines.append(
            f"- {bundle.title}, {bundle.precision}: a verdict of {end_s - start_s:.3g} s of "
            f"sound{every}; trained on {known}."
        )
    lines += [
        f"- {device.title}; {device.os}; {device.python}, numpy {device.numpy}, onnxruntime "
        f"{device.onnxruntime}, earlet {device.earlet}. {sitting.created[:10]}. Times are the "
        "sound's own: how fast the machine is plays no part.",
    ]
    return "\n".join(lines)


def _sought(sitting: Sitting) -> str:
    return _PLAIN.get(sitting.positive, f"`{sitting.positive}`")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
