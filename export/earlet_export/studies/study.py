"""A study: a question, the trainings that answer it, and the page that says what came out."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earlet_bench.device import this_device
from earlet_bench.evaluation.tables import Table
from earlet_export.studies.grid import Answer, in_order, is_done, run_grid
from earlet_export.studies.variant import Variant
from earlet_train.atomic import write_beside
from earlet_train.run import Watcher


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the answers so far say: sentences, tables, and pictures in the study's folder.

    `answers`: the sentences, made from the numbers and never written beforehand.
    """

    answers: tuple[str, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Study:
    """`cuts`: what differs from the published experiment, or was cut so that it fits two cores.

    `claim`: what the paper says, or asks. `find(answers, out)` works out what came of it from any
    part of the trainings; `data`: what the sets are, in words, by the variants' `set`.
    """

    name: str
    title: str
    claim: str
    data: Mapping[str, str]
    cuts: tuple[str, ...]
    variants: tuple[Variant, ...]
    find: Callable[[Sequence[Answer], Path], Findings] = field(repr=False)

    @property
    def trainings(self) -> int:
        """How many there are when it is whole."""
        return sum(len(variant.seeds) for variant in self.variants)


def conduct(
    study: Study,
    *,
    out: Path,
    threads: int,
    limit_minutes: float,
    watcher: Callable[[Variant], Watcher],
    on_step: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[Answer], Findings | None]:
    """Do all trainings that are not done yet, and write `OUT/NAME.md` after each of them.

    -> the answers and what they say; None where not one is done within `limit_minutes`.
    """
    began = clock()
    kept = sum(is_done(out, variant, seed) for variant, seed in in_order(study.variants))
    answers: list[Answer] = []
    findings = None
    for answer in run_grid(
        study.variants,
        out=out,
        threads=threads,
        deadline=lambda: clock() - began > 60 * limit_minutes,
        watcher=watcher,
        on_step=on_step,
    ):
        answers.append(answer)
        # Kept answers come at once, all before the first new one.
        if len(answers) >= kept:
            findings = _report(study, answers, out)
    return answers, findings


def markdown(study: Study, answers: Sequence[Answer], findings: Findings) -> str:
    """The whole page."""
    lines = [f"# {study.title}", "", study.claim, ""]
    lines += [f"- {sentence}" for sentence in findings.answers]
    for table in findings.tables:
        lines += ["", table.markdown().rstrip()]
    for picture in findings.pictures:
        lines += ["", f"![{picture.stem.replace('-', ' ')}]({picture.name})"]
    lines += ["", "## How it was done", ""]
    lines += [f"- {fact}" for fact in facts(study, answers)]
    return "\n".join(lines) + "\n"


def facts(study: Study, answers: Sequence[Answer]) -> list[str]:
    """Data, seeds, epochs, hardware, and what was cut."""
    done = [answer.done for answer in answers]
    seeds = sorted({d.seed for d in done})
    told = [f"**{name}**: {words}" for name, words in study.data.items()]
    for name in study.data:
        own = [a.done for a in answers if a.variant.set == name]
        if own:
            told.append(
                f"{name}: {_span([d.train_recordings for d in own])} recordings to train, "
                f"{_span([d.dev_recordings for d in own])} to choose the epoch, "
                f"{_span([d.judged for d in own])} judged; "
                f"{_span([d.epochs for d in own])} epochs."
            )
    told.append(f"Seeds {', '.join(map(str, seeds))}; ± is the standard deviation over them.")
    device = this_device()
    told.append(
        f"{len(done)} of {study.trainings} trainings, {sum(d.minutes for d in done):.0f} minutes "
        f"by the clock, on {', '.join(sorted({d.device for d in done}))} (threads: "
        f"{_span([d.threads for d in done])}): {device.title}; onnxruntime "
        f"{device.onnxruntime}, earlet {device.earlet}."
    )
    return told + [f"Cut, or other than published: {cut}" for cut in study.cuts]


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Values -> mean and standard deviation (n - 1); of one value NaN."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, math.nan
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def percent(values: Sequence[float]) -> str:
    """Rates in 0..1 -> `56.1 ± 0.8`; `56.1` for one; `-` for none."""
    if not values:
        return "-"
    mean, deviation = mean_and_deviation(values)
    return f"{100 * mean:.1f}" + ("" if math.isnan(deviation) else f" ± {100 * deviation:.1f}")


def _report(study: Study, answers: Sequence[Answer], out: Path) -> Findings:
    findings = study.find(answers, out)
    page = markdown(study, answers, findings)
    write_beside(out / f"{study.name}.md", lambda file: file.write_text(page, encoding="utf-8"))
    return findings


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
