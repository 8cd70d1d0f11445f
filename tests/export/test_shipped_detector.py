"""What is promised of the detector that comes along, beyond what every bundle promises."""

from earlet import load
from earlet_train.network import build_network
from earlet_train.recipe import parse_recipe


def test_its_int8_file_wastes_nothing_on_fourier_kernels() -> None:
    detector = load()
    manifest = detector.manifest
    recipe = parse_recipe(manifest.provenance.recipe, source="the shipped bundle")
    weights = sum(weight.numel() for weight in build_network(recipe).parameters())
    assert manifest.graphs["int8"].size_bytes <= 1.25 * weights + 30_000
