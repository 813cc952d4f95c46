"""HTML to the plain text that a reader sees: lines stay lines, quotes get their marks, hidden parts go. Pure.

By lxml's events, without a tree, so that a bomb of nested elements costs no more than its length. (The standard
library's parser takes quadratic time for pages that are made to hurt.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog", "div", "dl", "dt",
        "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
        "hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead",
        "tr", "ul",
    }
)  # fmt: skip
_PARAGRAPHS = frozenset(
    {
        "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "dl",
    }
)  # fmt: skip
_UNSEEN = frozenset(
    {
        "head", "script", "style", "title", "template", "noscript", "object", "svg", "math", "select",
        "textarea", "audio", "video",
    }
)  # fmt: skip
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d])", re.IGNORECASE
)
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\ufeff"))
_DEEPEST_QUOTE = 8


class _Reader:
    """Takes a parser's events; the parser closes what the page leaves open."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.quotes = 0
        self.hides: list[bool] = []  # of each open element, whether it hides what it holds
        self.hiding = 0
        self.keeps_space = 0
        self.blank_before = False

    def start(self, tag: str, values: Mapping[str, str]) -> None:
        hides = tag in _UNSEEN or "hidden" in values or bool(_HIDDEN.search(values.get("style", "")[:2000]))
        self.hides.append(hides)
        self.hiding += hides
        if tag in _BLOCKS:
            self._end_line(paragraph=tag in _PARAGRAPHS)
        if tag == "br":
            self._end_line(blank=True)
        elif tag == "blockquote":
            self.quotes += 1
        elif tag == "pre":
            self.keeps_space += 1
        elif tag == "li":
            self.line.append("- ")
        elif tag in ("td", "th"):
            self.line.append(" ")
        elif tag == "img" and not self.hiding:
            self.line.append(f" {values.get('alt', '')[:200]} ")

    def end(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_line(paragraph=tag in _PARAGRAPHS)
        if self.hides:
            self.hiding -= self.hides.pop()
        self.quotes -= tag == "blockquote"
        self.keeps_space -= tag == "pre"

    def data(self, data: str) -> None:
        if self.hiding:
            return
        if self.keeps_space:
            first, *rest = data.split("\n")
            self.line.append(first)
            for line in rest:
                self._end_line(blank=True)
                self.line.append(line)
        else:
            self.line.append(data)

    def comment(self, text: str) -> None:
        """What a comment says is not seen."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor is an instruction to a program."""

    def close(self) -> str:
        self._end_line()
        return "\n".join(self.lines)

    def _end_line(self, *, paragraph: bool = False, blank: bool = False) -> None:
        """End the line; an empty one is kept where it was written (`blank`) or where a paragraph begins or ends."""
        text = "".join(self.line)
        self.line = []
        text = text.rstrip() if self.keeps_space else " ".join(text.translate(_INVISIBLE).split())
        mark = "> " * max(0, min(self.quotes, _DEEPEST_QUOTE))
        if text and text != "-":
            if self.blank_before and self.lines:
                self.lines.append(mark.rstrip())
            self.blank_before = False
            self.lines.append(mark + text)
        elif blank and self.lines:
            self.blank_before = True
        if paragraph and self.lines:
            self.blank_before = True


def html_text(html: str) -> str:
    """Return what a reader sees of a page."""
    from lxml import etree

    reader = _Reader()
    try:
        parser = etree.HTMLParser(target=reader, recover=True, no_network=True)
        parser.feed(html.replace("\0", "").encode("utf-8", "replace").decode("utf-8"))
        parser.close()
    except (etree.LxmlError, ValueError, AssertionError):  # a page that the parser gives up on: what came so far counts
        pass
    return reader.close()
