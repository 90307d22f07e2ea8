"""Tokens: read back by their maker, and by nobody else."""

import base64

import pytest

from flowser.local.engine.faults import Fault
from flowser.local.engine.tokens import PageToken, TaskToken, Tokens

_TOKENS = Tokens(b"k" * 32)
_TASK = TaskToken("activity", 7, 5, 6)


def test_a_task_token_is_read_back() -> None:
    assert _TOKENS.read_task(_TOKENS.task(_TASK), "activity") == _TASK


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 1024, "AAAA", "=", "a" * 44])
def test_garbage_is_an_invalid_token(text: str) -> None:
    with pytest.raises(Fault, match="Invalid token"):
        _TOKENS.read_task(text, "activity")
    with pytest.raises(Fault, match="Invalid token"):
        _TOKENS.read_page(text, "list", 0)


def test_a_token_cannot_be_changed_or_used_for_another_kind() -> None:
    raw = bytearray(base64.b64decode(_TOKENS.task(_TASK)))
    raw[-1] ^= 1
    for text, kind in (
        (base64.b64encode(raw).decode(), "activity"),
        (_TOKENS.task(_TASK), "decision"),
    ):
        with pytest.raises(Fault, match="Invalid token"):
            _TOKENS.read_task(text, kind)
    with pytest.raises(Fault, match="Invalid token"):
        Tokens(b"other" * 6).read_task(_TOKENS.task(_TASK), "activity")


def test_a_page_token_expires_and_belongs_to_one_scope() -> None:
    text = _TOKENS.page(PageToken("list", 1_000, (3, "a")))
    assert _TOKENS.read_page(text, "list", 1_000) == (3, "a")
    with pytest.raises(Fault, match="Invalid token"):
        _TOKENS.read_page(text, "other", 0)
    with pytest.raises(Fault, match="exceeded its maximum lifetime"):
        _TOKENS.read_page(text, "list", 1_001)
