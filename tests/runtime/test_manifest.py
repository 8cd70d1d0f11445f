"""The manifest says everything in one spelling, and refuses every other."""

import dataclasses
import json
from typing import Any

import pytest

from earlet.errors import BundleError
from earlet.manifest import Calibration, Manifest, WindowPolicy, canonical_json


def parse(data: Any) -> Manifest:
    return Manifest.from_json(canonical_json(data), source="manifest.json")


def as_data(manifest: Manifest) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(manifest.to_json())
    return data


def test_it_comes_back_as_it_was(manifest: Manifest) -> None:
    back = Manifest.from_json(manifest.to_json(), source="m")
    assert back == manifest
    assert back.to_json() == manifest.to_json()
    assert back.positive_index == 1


@pytest.mark.parametrize(
    "respell",
    [
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("  ", "    "),
        lambda text: text.replace("0.25", "0.250"),
        lambda text: json.dumps(json.loads(text)),
        lambda text: text.replace("nine", "n\\u0069ne", 1),
    ],
)
def test_another_spelling_of_the_same_is_refused(manifest: Manifest, respell: Any) -> None:
    text = respell(manifest.to_json())
    assert json.loads(text) == as_data(manifest)
    with pytest.raises(BundleError, match="was changed after it was written"):
        Manifest.from_json(text, source="m")


def test_an_unknown_key_is_named_with_its_place(manifest: Manifest) -> None:
    data = as_data(manifest)
    data["window"]["hop"] = 3
    with pytest.raises(BundleError, match=r"unknown key 'hop' in manifest\.window"):
        parse(data)


def test_a_missing_key_is_named(manifest: Manifest) -> None:
    data = as_data(manifest)
    del data["threshold"]
    with pytest.raises(BundleError, match="manifest lacks 'threshold'"):
        parse(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sample_rate_hz",), "16000", "manifest.sample_rate_hz should be a value of type int"),
        (("sample_rate_hz",), True, "manifest.sample_rate_hz should be a value of type int"),
        (("labels",), "ab", "manifest.labels should be a list"),
        (("window", "short"), "loop", "should be one of 'tile', 'stretch', 'zero', 'reject'"),
        (("window",), 3, "manifest.window should be an object"),
        (("graphs",), [], "manifest.graphs should be an object"),
        (("graphs", "int8", "decisions"), 1.5, r"manifest.graphs.int8.decisions should be"),
        (("positive",), "fake", "positive label 'fake' is not among"),
        (("default_precision",), "fp16", "default_precision 'fp16' has no graph"),
        (("window", "min_samples"), 0, "min_samples must lie in 1..window_samples"),
        (("window", "hop_samples"), 0, "hop_samples must be positive"),
        (("calibration", "scale"), -1.0, "calibration scale must be positive"),
        (("labels",), ["synthetic", "synthetic"], "two or more different names"),
        (("schema",), 2, "manifest schema 2; this earlet reads schema 1"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(
    manifest: Manifest, path: tuple[str, ...], value: object, message: str
) -> None:
    data = as_data(manifest)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(BundleError, match=message):
        parse(data)


@pytest.mark.parametrize("text", ["[]", "{}", '"text"'])
def test_other_json_is_no_manifest(text: str) -> None:
    with pytest.raises(BundleError, match="not an earlet manifest"):
        Manifest.from_json(text, source="m")


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_number_that_is_not_finite_is_refused(manifest: Manifest, number: str) -> None:
    text = manifest.to_json().replace('"threshold": 0.25', f'"threshold": {number}')
    with pytest.raises(BundleError, match=r"manifest\.threshold should be a finite number"):
        Manifest.from_json(text, source="m")


def test_the_copy_inside_a_graph_holds_nothing_that_depends_on_the_graph(
    manifest: Manifest,
) -> None:
    graphs = {
        name: dataclasses.replace(graph, sha256="ab", size_bytes=12)
        for name, graph in manifest.graphs.items()
    }
    golden = dataclasses.replace(manifest.golden, sha256="cd")
    written = dataclasses.replace(manifest, graphs=graphs, golden=golden, files={"card.md": "ef"})
    assert written.without_hashes() == manifest.without_hashes() != written
    assert written.without_hashes().without_hashes() == written.without_hashes()


def test_contradictions_are_refused_when_made_in_python() -> None:
    with pytest.raises(ValueError, match="min_samples must lie"):
        WindowPolicy(window_samples=10, hop_samples=5, min_samples=11)
    with pytest.raises(ValueError, match="must be positive"):
        Calibration(scale=0)
