"""The error tree: one base, an exit code each, and messages that name the remedy."""

import pytest

import earlet
from earlet import errors
from earlet.errors import EarletError, MissingExtra

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EarletError) and kind is not EarletError
]


def test_every_error_is_public_and_in_the_drawing() -> None:
    for kind in KINDS:
        assert getattr(earlet, kind.__name__) is kind
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("AudioError", 2),
        ("BundleError", 4),
        ("RecipeError", 2),
        ("CorpusError", 2),
        ("UsageError", 2),
        ("ParityError", 1),
        ("MissingExtra", 3),
    ],
)
def test_exit_codes_are_those_of_the_drawing(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code
    drawn = next(line for line in (errors.__doc__ or "").splitlines() if f" {name}" in line)
    assert f" {code} " in drawn
    assert len(KINDS) == 7


def test_bad_values_are_value_errors_too() -> None:
    for kind in (errors.AudioError, errors.BundleError, errors.RecipeError, errors.CorpusError):
        assert issubclass(kind, ValueError)


def test_a_missing_extra_gives_the_line_to_type() -> None:
    assert "pip install 'earlet[train]'" in str(MissingExtra(module="torch", extra="train"))
    base = str(MissingExtra(module="soundfile", extra=None))
    assert base.endswith("pip install soundfile")
