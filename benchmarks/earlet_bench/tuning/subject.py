"""Who is judged: a detector under one policy, with what it said of every set of recordings.

Several bundles may hold the same detector (tuned and untuned, tuned twice): what would give the
same row twice is judged once, and what goes by one name and is not the same is told apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from earlet.bundle import SHIPPED, Bundle, sha256
from earlet.errors import UsageError
from earlet.events import EventPolicy, untuned
from earlet_bench.tuning.hear import Track
from earlet_bench.tuning.listening import short_name

Kind = Literal["untuned", "tuned"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """`what`: its name in tables. `tracks`: of each set of recordings, in their order."""

    what: str
    kind: Kind
    bundle: Bundle
    precision: str
    policy: EventPolicy
    tracks: Sequence[Sequence[Track]]

    @property
    def title(self) -> str:
        """The bundle among others: `stream-cnn 1 (aac43d0c), shipped`."""
        manifest = self.bundle.manifest
        digest = sha256(manifest.to_json().encode())[:8]
        shipped = ", shipped" * self.bundle.path.is_relative_to(SHIPPED)
        return f"{manifest.name} {manifest.version} ({digest}){shipped}"

    def is_like(self, other: "Subject") -> bool:
        """The same name, policy and verdicts: its row would be the same."""
        return (
            self.bundle.manifest.name == other.bundle.manifest.name
            and self.policy == other.policy
            and [_said(own) for own in self.tracks] == [_said(own) for own in other.tracks]
        )


def subjects(
    heard: Sequence[tuple[Bundle, Sequence[Sequence[Track]]]], *, precision: str | None
) -> list[Subject]:
    """Each bundle with the untuned policy and with that of its manifest, none twice."""
    found: list[Subject] = []
    for bundle, tracks in heard:
        manifest = bundle.manifest
        policies: list[tuple[Kind, EventPolicy]] = [("untuned", untuned(manifest.threshold))]
        if manifest.events is not None:
            policies.append(("tuned", manifest.events))
        for kind, policy in policies:
            one = Subject(
                what=f"{manifest.name} {kind}",
                kind=kind,
                bundle=bundle,
                precision=bundle.precision(precision),
                policy=policy,
                tracks=tracks,
            )
            if not any(one.is_like(other) for other in found):
                found.append(one)
    times = Counter(one.what for one in found)
    return [
        one if times[one.what] == 1 else replace(one, what=f"{one.what}, {_place(one.bundle)}")
        for one in found
    ]


def label_sought(bundles: Sequence[Bundle]) -> str:
    """The positive label of all of them. Raises UsageError where they seek different ones."""
    if len({one.manifest.positive for one in bundles}) > 1:
        told = ", ".join(f"{_place(b)} seeks {b.manifest.positive!r}" for b in bundles)
        raise UsageError(f"{told}: one table compares detectors of one label. Judge each alone.")
    return bundles[0].manifest.positive


def _place(bundle: Bundle) -> str:
    return "shipped" if bundle.path.is_relative_to(SHIPPED) else short_name(bundle.path)


def _said(tracks: Sequence[Track]) -> list[tuple[object, ...]]:
    return [(track.recording.name, track.lag_s, track.verdicts) for track in tracks]
