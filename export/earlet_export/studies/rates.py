"""Equal error rates of finished trainings on spoofed speech; tables of them by pool and attack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earlet.metrics import equal_error_rate
from earlet_bench.evaluation.tables import Table
from earlet_export.studies.compare import Difference, difference
from earlet_export.studies.grid import Answer
from earlet_export.studies.measures import dev_labels, eval_set, spoof_report
from earlet_export.studies.study import mean_and_deviation, percent
from earlet_export.studies.variant import Variant

# Pool of `earlet.labelled` -> what tables call it; `dev` and `all` are ours.
POOLS = {
    "dev": "dev",
    "known": "known attacks",
    "unknown": "unknown attacks",
    "tts": "text to speech",
    "conversion": "copies, conversion",
    "all": "all attacks",
}
# Of what is above on dev, eval says nothing.
NEAR_CHANCE = 0.45


@dataclass(frozen=True, kw_only=True)
class Rates:
    """EERs of one training, in 0..1, on eval but for the pool `dev`.

    `pools`: by the keys of `POOLS`, those there are; `attacks`: by their ids, each held against
    all bona fide recordings.
    """

    variant: str
    seed: int
    parameters: int
    pools: Mapping[str, float]
    attacks: Mapping[str, float]


def rates(answer: Answer) -> Rates:
    """What dev and eval say of one training."""
    report = spoof_report(answer)
    dev = equal_error_rate(answer.dev, dev_labels(answer.variant.corpus)).eer
    pools = {"dev": dev, "all": report.pooled.eer.value}
    pools |= {name: found.eer.value for name, found in report.pools.items()}
    return Rates(
        variant=answer.variant.name,
        seed=answer.done.seed,
        parameters=answer.done.parameters,
        pools={name: pools[name] for name in POOLS if name in pools},
        attacks={str(found.attack): found.eer.value for found in report.attacks},
    )


def of_row(found: Sequence[Rates], variant: Variant) -> list[Rates]:
    """Those of one row, in the order of their seeds."""
    return sorted((r for r in found if r.variant == variant.name), key=lambda r: r.seed)


def of_pool(found: Sequence[Rates], variant: Variant, pool: str) -> list[float]:
    """A row's EERs on a pool, one per seed; [] where there is no such pool."""
    return [r.pools[pool] for r in of_row(found, variant) if pool in r.pools]


def against(found: Sequence[Rates], row: Variant, other: Variant, pool: str) -> Difference | None:
    """A row's EER minus the other's on a pool, seed by seed; None where none is common."""
    held = [
        {r.seed: r.pools[pool] for r in of_row(found, v) if pool in r.pools} for v in (row, other)
    ]
    seeds = sorted(held[0].keys() & held[1].keys())
    if not seeds:
        return None
    return difference(*([own[seed] for seed in seeds] for own in held))


def by_pool(rows: Sequence[Variant], found: Sequence[Rates], *, notes: tuple[str, ...]) -> Table:
    """A row each: EER on dev, and on every pool of eval."""
    pools = list(of_row(found, rows[0])[0].pools)
    return Table(
        title=f"EER % on {rows[0].set}, mean ± standard deviation over seeds",
        header=("row", "seeds", "parameters", *(POOLS[pool] for pool in pools)),
        rows=tuple(
            (
                v.title,
                str(len(of_row(found, v))),
                f"{of_row(found, v)[0].parameters:,}",
                *(percent(of_pool(found, v, pool)) for pool in pools),
            )
            for v in rows
        ),
        notes=(
            "All columns but `dev`, by which the epoch was chosen, are of eval. Known attacks: "
            "those that train has too.",
            *notes,
        ),
    )


def near_chance(rows: Sequence[Variant], found: Sequence[Rates]) -> list[str]:
    """A sentence on the rows that learned next to nothing, where there are such."""
    lost = [v.title for v in rows if mean_and_deviation(of_pool(found, v, "dev"))[0] > NEAR_CHANCE]
    if not lost:
        return []
    return [
        f"{', '.join(lost)}: more than {100 * NEAR_CHANCE:.0f} % EER even on dev, where guessing "
        "gives 50 %: trained too little to be compared."
    ]


def by_attack(rows: Sequence[Variant], found: Sequence[Rates], *, what: str = "") -> Table:
    """An attack each: its EER by every row. `what` these rows are, where a page has two of them."""
    held = eval_set(rows[0].corpus)
    return Table(
        title=f"{what and what + ': '}EER % by attack on eval of {rows[0].set}, mean ± standard "
        "deviation over seeds",
        header=("attack", "spoofed", *(v.title for v in rows)),
        rows=tuple(
            (
                attack + ("" if attack in (held.known or ()) else " (unknown)"),
                str(sum(trial.system == attack for trial in held.trials)),
                *(percent([r.attacks[attack] for r in of_row(found, v)]) for v in rows),
            )
            for attack in of_row(found, rows[0])[0].attacks
        ),
        notes=("Each attack against all bona fide recordings of eval.",),
    )
