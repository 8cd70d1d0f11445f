"""`earlet models`: which detectors came with this installation."""

import json
from typing import Annotated

import typer

from earlet.bundle import find, shipped

SCHEMA = "earlet.models/1"


def models(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on stdout, nothing else.")
    ] = False,
) -> None:
    """List the detectors that came along.

    The default one is judged with where no --model is given.

    \b
    Example:
        earlet models
        earlet detect call.wav --model NAME
    """  # noqa: D301
    names = shipped()
    if not names:
        if not as_json:
            typer.echo("none came with this installation; give --model BUNDLE to the other verbs")
        return
    default = find(None).path
    for name in names:
        bundle = find(name)
        manifest = bundle.manifest
        record = {
            "schema": SCHEMA,
            "name": name,
            "version": manifest.version,
            "finds": manifest.positive,
            "precisions": list(bundle.precisions),
            "default": bundle.path == default,
        }
        if as_json:
            typer.echo(json.dumps(record, ensure_ascii=False))
            continue
        mark = "   (the default)" if record["default"] else ""
        typer.echo(
            f"{name:<{max(map(len, names))}}  {manifest.version}  finds {manifest.positive}, as "
            f"{' and '.join(bundle.precisions)}{mark}"
        )
