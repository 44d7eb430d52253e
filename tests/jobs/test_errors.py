"""The error tree: codes, sentences whose gaps are filled."""

import re
from string import Formatter
from typing import Any

import pytest

from aigc_models.base import Fault
from jobs import errors
from jobs.errors import AigcError, DatasetNotReady, InvalidParams, JobNotFound


def tree(error: type[AigcError] = AigcError) -> list[type[AigcError]]:
    return [error, *(below for child in error.__subclasses__() for below in tree(child))]


OURS = [error for error in tree() if error.__module__ == errors.__name__]


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.__name__)
def test_every_error_has_a_code_a_status_a_title_and_a_sentence(error: type[AigcError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code)
    assert 400 <= error.status <= 599
    assert error.title[0].isupper()
    sentence = (error.__doc__ or "").strip()
    gaps = {name for _, name, _, _ in Formatter().parse(sentence) if name}
    assert sentence.endswith(".")
    values: dict[str, Any] = dict.fromkeys(gaps, "x")
    assert str(error(**values))


def test_sentences_are_filled_and_keep_their_template() -> None:
    error = JobNotFound(kind="job", id="job_1")
    assert str(error) == "There is no job called job_1. It may have been deleted."
    assert error.message == "There is no job called {id}. It may have been deleted."


def test_faults_travel_with_the_error() -> None:
    fault = Fault("Epochs must be {ge} or more.", {"ge": 1}, "/epochs")
    assert InvalidParams(faults=[fault]).faults == [fault]
    assert isinstance(DatasetNotReady(name="x"), InvalidParams)  # forms show it beside the field
