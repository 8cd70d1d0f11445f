"""Takes a foreign model apart and puts it into the contract: waveform -> features -> logits."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from earlet.errors import BundleError, ParityError, RecipeError
from earlet_export.foreign.cut import Cut, cut
from earlet_export.foreign.freeze import Feed, freeze
from earlet_export.foreign.graph import (
    PREFIX,
    Values,
    adopt_names,
    plain_session,
    probe,
    sweep,
)
from earlet_export.foreign.original import OnnxOriginal, Original, as_logits, undone
from earlet_export.foreign.ports import (
    Array,
    Ports,
    as_the_model_wants,
    find_ports,
    with_constants,
    zeros,
)
from earlet_export.foreign.spec import Spec
from earlet_export.foreign.spectra import write_out_spectra
from earlet_export.foreign.tap import tap
from earlet_export.foreign.whole import build_in_turn, build_whole, frontend_one_by_one
from earlet_export.passes.compact_constants import compact_constants
from earlet_export.passes.compact_dft import compact_dft
from earlet_export.run import Runner
from earlet_export.trace import FEATURES, LOGITS, OPSET, WAVEFORM

# Axes of one that may be the batch, tried one after the other.
_MOST_TRIES = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Wrapped:
    """A foreign model and what was made of it.

    `untouched` says what the file as it came says to each piece. `held` is what is held for the
    original where the file itself says it less exactly, else None: `tapped`, before its last
    sigmoid or softmax; `inexact`, with its STFT and DFT, of sizes that ONNX Runtime computes badly,
    in double precision.
    `in_turn`: operators that walk over the pieces and stay float. `one_by_one`: everything up to
    the seam hears one recording at a time, because in a batch they heed each other or because the
    model takes no more (`ports.batched`). `spectra`: how many of its spectra `cut` has written out;
    `as_it_came`: the same two graphs with the file's own operators and tables.
    `opset`: the file's own.
    """

    spec: Spec
    ports: Ports
    untouched: Original = field(repr=False)
    held: Original | None = field(repr=False)
    tapped: bool
    inexact: bool
    cut: Cut
    as_it_came: Cut
    spectra: int
    in_turn: tuple[str, ...]
    one_by_one: bool
    opset: int
    sha256: str

    def logits(self, windows: Array) -> Array:
        """Windows [B, T] -> logits [B, K] of the original."""
        return as_logits((self.held or self.untouched)(windows), self.spec, tapped=self.tapped)

    def away_from_the_file(self, windows: Array) -> float:
        """Largest difference between what is held for the original and the untouched file.

        In the file's own numbers; 0 where the original is the file itself.
        """
        if self.held is None:
            return 0.0
        again = self.held(windows)
        if self.tapped:
            again = undone(again, self.spec.output.means)
        return float(np.abs(again - self.untouched(windows)).max())


def wrap(
    model: onnx.ModelProto, spec: Spec, *, sha256: str, untouched: Original | None = None
) -> Wrapped:
    """Model of one call, manifest -> Wrapped. Raises RecipeError, BundleError where they misfit.

    `untouched`: who answers for the original; left out: the model itself, unoptimized.
    """
    way = _frozen(model, spec)
    try:
        return _wrapped(model, way, spec, sha256=sha256, untouched=untouched)
    except _RowsMixError:
        alone = _closed(way.ports)
        way = _Way(ports=alone, inner=_inner(model, alone, spec), rows_mix=False)
        return _wrapped(model, way, spec, sha256=sha256, untouched=untouched)


@dataclass(frozen=True, kw_only=True)
class _Way:
    """The frozen model by these ports. `rows_mix`: recordings of one batch heed each other."""

    ports: Ports
    inner: onnx.ModelProto
    rows_mix: bool


class _Parted(NamedTuple):
    """See Wrapped."""

    halves: Cut
    in_turn: tuple[str, ...]
    one_by_one: bool


class _RowsMixError(Exception):
    """Recordings heed each other behind the seam too."""


def _wrapped(
    model: onnx.ModelProto, way: _Way, spec: Spec, *, sha256: str, untouched: Original | None
) -> Wrapped:
    ports, inner = way.ports, way.inner
    feed, batches = _feed(ports, spec), _batches(ports)
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    if opset != OPSET:
        inner = _converted(inner, spec)
        freeze(inner, feed, batches=batches, source=spec.source)
    answer = PREFIX + ports.answer
    tapped = tap(inner, answer, spec.output.means, dict(feed(1)), source=spec.source)
    several = feed(batches[-1])
    written = write_out_spectra(inner, several, source=spec.source)
    # PyTorch itself has no such operator: there what is written out is nearer to the original.
    inexact = written.inexact and untouched is None
    windows = _fading(2, spec.data.window_samples, seed=1)

    def parted(graph: onnx.ModelProto) -> _Parted:
        if not ports.batched and spec.chunks is None:
            # What does not come apart that way, or not into rows, walks as a whole.
            with contextlib.suppress(RecipeError, BundleError, _RowsMixError):
                whole = build_whole(graph, ports, spec, tapped=tapped, feed=several)
                halves = cut(whole.model, spec, {WAVEFORM: windows[:1]}, per_piece=1)
                return _Parted(_heard_one_by_one(halves, windows, spec), (), one_by_one=True)
        build = build_whole if ports.batched else build_in_turn
        whole = build(graph, ports, spec, tapped=tapped, feed=several)
        halves = cut(whole.model, spec, {WAVEFORM: windows}, per_piece=spec.pieces)
        if way.rows_mix:
            halves = _heard_one_by_one(halves, windows, spec)
        return _Parted(halves, whole.in_turn, one_by_one=way.rows_mix)

    halves, in_turn, one_by_one = parted(written.model)
    as_it_came = parted(inner).halves if written.count else halves
    if inexact:
        exact = write_out_spectra(inner, several, source=spec.source, exactly=True).model
    else:
        exact = inner if untouched is None else written.model
    plain = plain_session(exact.SerializeToString(), source=spec.source)
    own = plain_session(model.SerializeToString(), source=spec.source)
    return Wrapped(
        spec=spec,
        ports=ports,
        untouched=untouched or OnnxOriginal(session=own, ports=ports, spec=spec),
        held=OnnxOriginal(session=plain, ports=ports, spec=spec, prefix=PREFIX)
        if tapped or inexact
        else None,
        tapped=tapped,
        inexact=inexact,
        cut=_compacted(halves),
        as_it_came=as_it_came,
        spectra=written.count,
        in_turn=in_turn,
        one_by_one=one_by_one,
        opset=opset,
        sha256=sha256,
    )


def _compacted(halves: Cut) -> Cut:
    """The tables of the frontend in the few bytes that they need."""
    with contextlib.suppress(ParityError):
        frontend = compact_constants(compact_dft(halves.traced.frontend))
        return dataclasses.replace(
            halves, traced=dataclasses.replace(halves.traced, frontend=frontend)
        )
    return halves


def _heard_one_by_one(halves: Cut, windows: Array, spec: Spec) -> Cut:
    """Up to the seam one recording at a time, behind it as many as there are. _RowsMixError."""
    traced = frontend_one_by_one(halves.traced)
    features = Runner.of(traced.frontend)(windows)
    for model in (traced.model, _with_open_reshapes(traced.model)):
        if _judges_apart(model, features, spec):
            return dataclasses.replace(halves, traced=dataclasses.replace(traced, model=model))
    raise _RowsMixError


def _judges_apart(model: onnx.ModelProto, features: Array, spec: Spec) -> bool:
    """Whether the model half says of several rows what it says of each."""

    def asked(rows: Array) -> Values:
        return probe(model, [LOGITS], {FEATURES: rows}, source=spec.source)[LOGITS]

    alone = np.concatenate([asked(features[i : i + 1]) for i in range(len(features))])
    try:
        together = asked(features)
    except BundleError:
        return False
    return together.shape == alone.shape and np.allclose(together, alone, rtol=1e-4, atol=1e-5)


def _frozen(model: onnx.ModelProto, spec: Spec) -> _Way:
    """What never changes made constant; the batch open where the model bears it."""
    ports = find_ports(model, spec)
    if ports.batched:
        with contextlib.suppress(BundleError):
            inner = _inner(model, ports, spec)
            mix = not _rows_are_apart(inner, ports, spec)
            if not mix or not ports.states:
                return _Way(ports=ports, inner=inner, rows_mix=mix)
        ports = _closed(ports)
    models = (model, _with_open_reshapes(model))
    for opened, whole in itertools.islice(itertools.product(_opened(ports), models), _MOST_TRIES):
        try:
            inner = _inner(whole, opened, spec)
            if _rows_are_apart(inner, opened, spec):
                return _Way(ports=opened, inner=inner, rows_mix=False)
        except BundleError:
            # Somewhere inside the one recording is written down: it stays one at a time.
            continue
    return _Way(ports=ports, inner=_inner(model, ports, spec), rows_mix=False)


def _with_open_reshapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Where a fixed shape begins with one, which may be the one recording: as many as there are."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    graph = opened.graph
    constants = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    for node in graph.node:
        shape = constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is not None and shape.size > 1 and shape[0] == 1 and (shape > 0).all():
            name = f"{node.output[0]}/open shape"
            graph.initializer.append(numpy_helper.from_array(np.array([-1, *shape[1:]]), name))
            node.input[1] = name
    return opened


def _closed(ports: Ports) -> Ports:
    """The same ports for one recording at a time."""
    states = {
        name: (tuple(1 if axis == "B" else axis for axis in shape), dtype)
        for name, (shape, dtype) in ports.states.items()
    }
    shape = tuple(1 if axis == "B" else axis for axis in ports.shape)
    return dataclasses.replace(ports, shape=shape, states=states, batched=False)


def _opened(ports: Ports) -> Iterator[Ports]:
    """The same ports with a batch in the place of an axis of one: every way there is."""
    if ports.batched or ports.shape[0] != 1:
        return
    places = [
        [i for i, axis in enumerate(shape) if axis == 1] for shape, _ in ports.states.values()
    ]
    for chosen in itertools.product(*places):
        states = {
            name: (tuple("B" if i == at else axis for i, axis in enumerate(shape)), dtype)
            for at, (name, (shape, dtype)) in zip(chosen, ports.states.items(), strict=True)
        }
        shape = ("B", *ports.shape[1:])
        yield dataclasses.replace(ports, shape=shape, states=states, batched=True)


def _inner(model: onnx.ModelProto, ports: Ports, spec: Spec) -> onnx.ModelProto:
    inner = adopt_names(with_constants(model, ports, spec))
    freeze(inner, _feed(ports, spec), batches=_batches(ports), source=spec.source)
    return inner


def _rows_are_apart(inner: onnx.ModelProto, ports: Ports, spec: Spec) -> bool:
    """Whether three recordings at once are answered as one by one.

    Asked before the last squashing: in a probability near 0 or 1 no difference would be seen.
    """
    answer, sound = PREFIX + ports.answer, PREFIX + ports.sound
    three = _feed(ports, spec)(3)
    unsquashed = onnx.ModelProto()
    unsquashed.CopyFrom(inner)
    if tap(unsquashed, answer, spec.output.means, three, source=spec.source):
        inner = unsquashed
    together = probe(inner, [answer], three, source=spec.source)[answer]
    axes = {sound: 0} | {
        PREFIX + name: shape.index("B") for name, (shape, _) in ports.states.items()
    }
    alone = [
        probe(
            inner,
            [answer],
            {name: np.take(value, [i], axis=axes[name]) for name, value in three.items()},
            source=spec.source,
        )[answer]
        for i in range(3)
    ]
    flat = np.concatenate([one.reshape(1, -1) for one in alone])
    return together.size == flat.size and bool(
        np.allclose(together.reshape(3, -1), flat, rtol=1e-4, atol=1e-5)
    )


def _batches(ports: Ports) -> tuple[int, int]:
    return (1, 3) if ports.batched else (1, 1)


def _feed(ports: Ports, spec: Spec) -> Feed:
    """Batch size -> random sound, and random states, for the graph with adopted names."""
    rng = np.random.default_rng(0)

    def feed(batch: int) -> dict[str, Values]:
        sound = _fading(batch, spec.piece_samples, seed=0)
        states = {
            name: rng.normal(0, 0.1, zero.shape).astype(zero.dtype)
            for name, zero in zeros(ports, batch=batch).items()
        }
        named = {ports.sound: as_the_model_wants(sound, ports, spec), **states}
        return {PREFIX + name: value for name, value in named.items()}

    return feed


def _fading(rows: int, samples: int, *, seed: int) -> Array:
    """Noise [rows, samples] that fades by 60 dB, each row 30 dB quieter than the one before.

    So that one that heeds another is found out: levels cut 80 dB below the loudest (`top_db`)
    leave steady noise as it is.
    """
    rng = np.random.default_rng(seed)
    loudness = 0.1 * 0.03 ** np.arange(rows)[:, None] * np.logspace(0, -3, samples)
    return (loudness * rng.normal(size=(rows, samples))).astype(np.float32)


def _converted(inner: onnx.ModelProto, spec: Spec) -> onnx.ModelProto:
    """The same at the operator set of our graphs."""
    try:
        converted: onnx.ModelProto = version_converter.convert_version(inner, OPSET)
    # onnx.version_converter.ConvertError is a plain RuntimeError from C++.
    except RuntimeError as error:
        raise BundleError(
            f"{spec.source}: the model cannot be brought to operator set {OPSET}: "
            f"{str(error).splitlines()[0]}. Export it again at that set."
        ) from None
    sweep(converted)
    return converted
