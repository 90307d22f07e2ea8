"""Requests know their operation, their answer, and whether SWF holds them."""

import msgspec
import pytest

from flowser import requests, results, shapes
from flowser.requests import OPERATIONS, POLLS, answer, is_long_poll

ALBUMS = shapes.TaskList(name="albums")


def test_there_are_thirty_nine() -> None:
    assert len(OPERATIONS) == 39
    assert POLLS.issubset(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_request_names_the_class_of_its_answer(name: str) -> None:
    assert issubclass(answer(OPERATIONS[name]), shapes.Shape)


def test_answer_of_an_operation_without_output_has_no_members() -> None:
    kind = answer(requests.RegisterDomain)
    assert kind is results.Nothing
    assert msgspec.structs.fields(kind) == ()


def test_answer_of_a_start_is_its_run() -> None:
    assert answer(requests.StartWorkflowExecution) is results.Run


def test_poll_is_long_until_it_has_a_page_token() -> None:
    first = requests.PollForDecisionTask(domain="d", task_list=ALBUMS)
    assert is_long_poll(first)
    assert not is_long_poll(msgspec.structs.replace(first, next_page_token="p"))
    assert is_long_poll(requests.PollForActivityTask(domain="d", task_list=ALBUMS))


def test_listing_is_no_long_poll() -> None:
    listing = requests.ListDomains(
        registration_status=shapes.RegistrationStatus.REGISTERED
    )
    assert not is_long_poll(listing)
