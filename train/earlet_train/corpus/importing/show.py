"""The table that `earlet corpus import` ends with."""

from rich.console import Console
from rich.table import Table

from earlet_train.corpus.importing.importer import Imported

FEW = 12


def import_tables(imported: Imported) -> None:
    """Recordings of each label in each split, hours, notes, and what was left out, on stdout."""
    console = Console()
    splits = list(imported.counts)
    options = ", ".join(f"{name} {value}" for name, value in imported.options.items())
    head = f"{imported.kind}: recordings" + (f" ({options})" if options else "")
    console.print(head, highlight=False, markup=False, soft_wrap=True)
    table = Table()
    table.add_column("label")
    for split in splits:
        table.add_column(split, justify="right")
    for label in imported.labels:
        table.add_row(label, *(str(imported.counts[s].get(label, 0)) for s in splits))
    table.add_section()
    table.add_row("all", *(str(sum(imported.counts[s].values())) for s in splits))
    table.add_row("hours", *(f"{imported.hours[s]:.2f}" for s in splits))
    console.print(table)
    rates = ", ".join(f"{count} files at {rate} Hz" for rate, count in imported.rates_hz.items())
    lines = [rates, *(f"left out: {w}: {why}" for w, why in list(imported.left_out.items())[:FEW])]
    if len(imported.left_out) > FEW:
        lines.append(f"left out: {len(imported.left_out) - FEW} more, all named in corpus.json")
    for line in (*lines, *(f"note: {note}" for note in imported.notes)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
