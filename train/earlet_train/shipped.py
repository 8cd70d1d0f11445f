"""Which recipes come with earlet; light enough for a help page."""

from pathlib import Path


def shipped_recipes() -> dict[str, Path]:
    """Name -> file of every recipe that comes with earlet."""
    package = Path(__file__).parent
    # A wheel holds them inside the package, a checkout beside it.
    for folder in (package / "recipes", package.parent / "recipes"):
        if folder.is_dir():
            return {file.stem: file for file in sorted(folder.glob("*.toml"))}
    return {}
