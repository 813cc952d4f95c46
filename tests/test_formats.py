"""The page of stored formats tells the truth about every event."""

from __future__ import annotations

from tests.formats import FILE, written


def test_the_page_of_formats_is_fresh() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert written(text) == text, "run: python -m tests.formats --write"
