"""What a run writes into its history, for later ones to read."""

import json

import pytest

from flowser.replay import formats


def test_notes_are_json_with_the_version_first() -> None:
    text = formats.note("2.1", kind="step", name="rate", value=formats.raw("[1]"))
    assert text == '{"fv":1,"id":"2.1","kind":"step","name":"rate","value":[1]}'
    found = formats.read_note(text)
    assert found is not None
    assert (found.id, found.kind, formats.text(found.value)) == ("2.1", "step", "[1]")
    assert formats.text(found.failure) is None


@pytest.mark.parametrize(
    "text", [None, "", "x", "{}", '{"id":"1"}', '{"fv":"1"}', "[]"]
)
def test_texts_of_others_are_no_notes(text: str | None) -> None:
    assert formats.read_note(text) is None


def test_members_that_later_versions_add_are_passed_over() -> None:
    found = formats.read_note('{"fv":3,"id":"1","more":{"x":1}}')
    assert found is not None
    assert (found.fv, found.id) == (3, "1")


@pytest.mark.parametrize("text", [None, "", "my own", '{"fv":"x"}', "[]", "{" * 5_000])
def test_contexts_of_others_are_empty_ones(text: str | None) -> None:
    assert formats.read_context(text).fv == 0


def test_a_context_holds_the_status() -> None:
    assert formats.context(None) == '{"fv":1}'
    assert formats.context('{"x":1}') == '{"fv":1,"status":{"x":1}}'


@pytest.mark.parametrize("input", ['{"a":1}', "{}", "{ }", '{ "a": [1, "}"]}'])
def test_a_retried_activity_is_told_in_one_more_member(input: str) -> None:
    text = formats.spliced(input, 2, "half")
    told = {"fv": 1, "attempt": 2, "details": "half"}
    assert json.loads(text or "") == {"@flowser": told} | json.loads(input)


@pytest.mark.parametrize("input", [None, "[1]", '"text"', "3"])
def test_an_input_that_is_no_object_is_left_as_it_is(input: str | None) -> None:
    assert formats.spliced(input, 2, "half") == input


def test_nothing_told_or_no_room_leaves_the_input_as_it_is() -> None:
    assert formats.spliced('{"a":1}', 2, None) == '{"a":1}'
    long = json.dumps({"a": "x" * 32_000})
    assert formats.spliced(long, 2, "y" * 1_000) == long
