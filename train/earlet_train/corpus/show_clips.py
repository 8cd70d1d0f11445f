"""The table that building a corpus of labelled clips ends with."""

from earlet_train.corpus.clips import ClipInventory


def clip_tables(inventory: ClipInventory) -> None:
    """Clips of each label in each split, hours, and what was left out, on stdout."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"corpus {inventory.kind}, {inventory.size}, seed {inventory.seed}")
    table.add_column("label")
    for split in inventory.counts:
        table.add_column(split, justify="right")
    for label in inventory.labels:
        table.add_row(label, *(str(own.get(label, 0)) for own in inventory.counts.values()))
    table.add_section()
    table.add_row("clips", *(str(sum(own.values())) for own in inventory.counts.values()))
    table.add_row("hours", *(f"{hours:.2f}" for hours in inventory.hours.values()))
    console.print(table)
    for what, why in inventory.left_out.items():
        console.print(f"left out: {what}: {why}", highlight=False)
