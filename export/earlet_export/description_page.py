"""Lays a description out for people: a summary in sentences, then a table of layers."""

import textwrap
from collections.abc import Iterator

from earlet_export.describe import Description, Exports, Layer


def page(description: Description, *, every_layer: bool) -> str:
    """Description -> text of at most 100 columns."""
    return "\n".join([*_summary(description), "", *_table(description, every_layer=every_layer)])


def _summary(d: Description) -> Iterator[str]:
    yield from textwrap.wrap(f"{d.recipe}: {d.description}", 100)
    if d.note:
        yield from textwrap.wrap(d.note, 100)
    yield ""
    frozen = "" if d.trainable == d.parameters else f", {d.trainable:,} of them trainable"
    rows = {
        "labels": ", ".join(d.labels),
        "window": f"{d.window_samples:,} samples = {d.window_s:g} s at {d.sample_rate_hz:,} Hz",
        "features": _times(d.features)
        + ("" if d.seam == d.features else f", after the adapter {_times(d.seam)}")
        + "  (channels x bins x frames)",
        "parameters": f"{d.parameters:,}{frozen}",
        "work": f"{giga(d.macs)} GMAC per window, {giga(d.macs_per_s)} per second of sound",
        "int8": _int8(d.exports) if d.exports else f"does not export: {d.not_exported}",
        "streaming": "can run on sound as it arrives" if d.streams else "no, window by window",
        "lengths": "one window alone"
        if d.fixed_length
        else "nothing fixes them: earlet export --length any tries it",
    }
    if d.exports:
        rows["ONNX file"] = f"{d.exports.fp32_bytes / 1e6:.2f} MB in float32"
    obstacles = {"streaming": d.not_streaming, "lengths": d.fixed_length}
    for name, text in rows.items():
        yield from _wrapped(name, text)
        for part, reason in obstacles.get(name, {}).items():
            yield from _wrapped("", f"{part}: {reason}")


def _wrapped(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, 100, initial_indent=f"  {name:<11} ", subsequent_indent=f"  {'':<11} "
    )


def _int8(exports: Exports) -> str:
    share = 100 * exports.int8_macs / max(exports.model_macs + exports.frontend_macs, 1)
    kept = [name.removeprefix("model/") for name, macs in exports.float_nodes.items()]
    shown = ", ".join(kept[:4]) + (f" and {len(kept) - 4} more" if len(kept) > 4 else "")
    return (
        f"{share:.1f} % of all multiplications; in float stay the frontend "
        f"({giga(exports.frontend_macs)} GMAC){f' and {shown}' if shown else ''}"
    )


def _table(d: Description, *, every_layer: bool) -> Iterator[str]:
    yield f"  {'layer':<38} {'kind':<18} {'output':>14} {'parameters':>11} {'MMAC':>10}"
    part = ""
    for layer in d.layers:
        if not every_layer and _is_silent(layer):
            continue
        if layer.part != part:
            part = layer.part
            yield f"{part}"
        name = layer.name.partition(".")[2] or layer.name
        yield (
            f"  {_shortened(name, 38):<38} {_shortened(layer.kind, 18):<18} "
            f"{_times(layer.output):>14} {layer.parameters:>11,} {layer.macs / 1e6:>10.3f}"
        )
    total = sum(layer.macs for layer in d.layers) / 1e6
    yield f"  {'together':<38} {'':<18} {'':>14} {d.parameters:>11,} {total:>10.3f}"


def _is_silent(layer: Layer) -> bool:
    """Neither weights nor multiplications: an activation, a dropout."""
    return not layer.parameters and not layer.macs


def giga(count: float) -> str:
    """A number of multiplications in thousands of millions, three significant digits."""
    return f"{count / 1e9:#.3g}"


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)


def _shortened(name: str, width: int) -> str:
    return name if len(name) <= width else f"…{name[-(width - 1) :]}"
