"""What `earlet tune` and `earlet events` are both asked with."""

from typing import Annotated

import typer

Precision = Annotated[
    str | None, typer.Option(help="int8 or fp32 [default: the bundle's own choice].")
]
Threads = Annotated[int, typer.Option(help="Processor threads.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
