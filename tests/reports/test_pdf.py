"""The report as files: printed by a real browser, read back by others' programs, played from a folder."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from audit.analysis.model.audits import Analysis
from probes.browser import open_browser
from probes.model import Artifact
from reports.report import ReportFiles, write_report
from tests.analysis.golden import golden_analysis
from tests.reports.samples import NOW, Store, departure, tone_wav, twelve
from tests.reports.test_report import HOSTILE, sentences, squeezed

pytestmark = pytest.mark.slow


class Stand:
    """Stands in for the artifacts of the hand-written ledger, of which only the hashes exist."""

    def get(self, artifact: Artifact) -> bytes:
        return f"stands for {artifact.name}".encode()


@dataclass(frozen=True)
class Written:
    analysis: Analysis
    files: ReportFiles

    def pages(self, how: str = "-layout") -> list[str]:
        command = ["pdftotext", how, str(self.files.pdf), "-"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\f")[:-1]

    def flow(self) -> str:
        """The words of all pages in reading order, without running heads and blanks."""
        head = re.compile(
            rf"{re.escape(self.analysis.plan_name[:20])}.*|Confidential · audit .*|\d+ / \d+|Practice vendor.*"
        )
        lines = [line for page in self.pages("-raw")[1:] for line in page.splitlines() if not head.fullmatch(line)]
        return squeezed("".join(lines))


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Written:
    analysis = golden_analysis()
    return Written(analysis, write_report(analysis, Stand(), tmp_path_factory.mktemp("golden"), now_utc=NOW))


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Written:
    store = Store()
    analysis = departure(store, vendor_text=HOSTILE, clock_factor=600.0)
    return Written(analysis, write_report(analysis, store, tmp_path_factory.mktemp("practice"), now_utc=NOW))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Written:
    store = Store()
    analysis = twelve(store)
    return Written(analysis, write_report(analysis, store, tmp_path_factory.mktemp("many"), now_utc=NOW))


def test_the_pdf_carries_every_sentence(golden: Written) -> None:
    text = golden.flow()
    missing = [sentence for sentence in sentences(golden.analysis) if squeezed(sentence) not in text]
    assert not missing


def test_the_case_of_the_customer_who_left_is_told_in_full(golden: Written) -> None:
    text = re.sub(r"\s+", " ", " ".join(golden.pages()))
    for fact in (
        "3 days passed without an answer",
        "identification number",
        "put on hold without asking",
        "loop of 32 s heard 41 times",
        "LU louder than the agent",
        "who ended it is not established",
        "explained again",
        "enter another ticket",
        "within five hours",
        "The process has to be started again",
        "4,363 GBP",
    ):
        assert fact in text, fact


def test_two_runs_give_the_same_bytes(golden: Written, tmp_path: Path) -> None:
    again = write_report(golden.analysis, Stand(), tmp_path, now_utc=NOW)
    first, second = golden.files.folder, again.folder
    names = sorted(path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second).as_posix() for path in second.rglob("*") if path.is_file())
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_a_new_report_takes_the_old_ones_evidence_away(golden: Written, tmp_path: Path) -> None:
    shutil.copytree(golden.files.folder, tmp_path / "out")
    (tmp_path / "out" / "evidence" / "left-over.txt").write_text("of another audit")
    write_report(golden.analysis, Stand(), tmp_path / "out", now_utc=NOW)
    assert not (tmp_path / "out" / "evidence" / "left-over.txt").exists()


def test_accessible_in_its_basics(golden: Written) -> None:
    with pikepdf.open(golden.files.pdf) as pdf:
        root: Any = pdf.Root
        assert bool(root.MarkInfo.Marked)
        assert str(root.Lang) == "en"
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        assert str(pdf.docinfo["/Title"]).startswith("The case of DESIGN.md")
        with pdf.open_metadata() as meta:
            assert str(meta["dc:title"]).startswith("The case of DESIGN.md")
        with pdf.open_outline() as outline:
            titles = [item.title for item in outline.root] + [c.title for item in outline.root for c in item.children]
        assert any("What was found" in title for title in titles)
        assert any("Evidence index" in title for title in titles)
        links = [a for page in pdf.pages for a in page.get("/Annots", []) if a.get("/Subtype") == "/Link"]
        assert links
        assert all("/Contents" in link for link in links)
        alternatives = [alt for alt in _alternatives(root.StructTreeRoot) if alt]
        assert any("Call 1 of case" in alt and "on hold 21 min 30 s" in alt for alt in alternatives)


def _alternatives(node: Any, depth: int = 0) -> list[str]:
    if depth > 60 or not isinstance(node, pikepdf.Object):
        return []
    if isinstance(node, pikepdf.Array):
        return [alt for child in node for alt in _alternatives(child, depth + 1)]
    if not isinstance(node, pikepdf.Dictionary):
        return []
    own = [str(node["/Alt"])] if "/Alt" in node else []
    return own + (_alternatives(node["/K"], depth + 1) if "/K" in node else [])


def test_nothing_on_a_page_is_outside_tags_or_artifacts(golden: Written) -> None:
    with pikepdf.open(golden.files.pdf) as pdf:
        for number, page in enumerate(pdf.pages, start=1):
            depth = 0
            for instruction in pikepdf.parse_content_stream(page):
                operator = str(instruction.operator)
                depth += (operator in ("BDC", "BMC")) - (operator == "EMC")
                assert depth in (0, 1, 2)
                if operator in ("Tj", "TJ", "S", "f", "f*", "B", "Do"):
                    assert depth > 0, f"page {number}: {operator}"
            assert depth == 0


def test_fonts_are_inside_and_no_script_is(golden: Written) -> None:
    fonts = subprocess.run(["pdffonts", str(golden.files.pdf)], check=True, capture_output=True, text=True).stdout
    for family in ("Inter-Regular", "Inter-SemiBold", "SourceSerif4-SemiBold", "IBMPlexMono-Regular"):
        assert family in fonts
    assert all(re.search(r"\byes +(yes|no) +(yes|no) +\d+ +\d+$", line) for line in fonts.splitlines()[2:])
    info = subprocess.run(["pdfinfo", str(golden.files.pdf)], check=True, capture_output=True, text=True).stdout
    assert re.search(r"JavaScript: +no", info)
    assert re.search(r"Tagged: +yes", info)
    assert re.search(r"Page size: +59\d\.\d+ x 841\.\d+ pts \(A4\)", info)


def test_page_references_are_right(golden: Written, many: Written) -> None:
    for written in (golden, many):
        pages = written.pages()
        cover = re.findall(r"^ *(\S.*?) \(page (\d+)\)$", pages[0], flags=re.MULTILINE)
        assert len(cover) >= 6
        for heading, number in cover:
            assert heading.lower() in pages[int(number) - 1].lower(), (heading, number)


def test_practice_is_declared_on_every_page(practice: Written) -> None:
    pages = practice.pages()
    assert len(pages) >= 8
    for number, text in enumerate(pages, start=1):
        assert "clock ran 600 times as fast" in text, f"page {number}"


def test_hostile_words_reach_the_pdf_as_words_only(practice: Written) -> None:
    text = practice.flow()
    assert squeezed('<script>fetch("https://evil.example")</script>') in text
    assert "[U+202E]" in text
    with pikepdf.open(practice.files.pdf) as pdf:
        for page in pdf.pages:
            for annotation in page.get("/Annots", []):
                action = annotation.get("/A")
                assert action is None or action.get("/S") not in ("/URI", "/JavaScript", "/Launch")


def test_with_many_vendors_the_result_is_still_one_page(many: Written) -> None:
    pages = many.pages()
    assert "12 vendors, measured in the same way" in pages[1]
    for vendor in many.analysis.vendors:
        assert vendor.name.split()[0] in pages[1]
    assert "Well established" in pages[1]
    assert "Not established" in pages[1]
    assert "What was found" in pages[2]


def test_page_two_stands_alone_however_much_there_is_to_say(tmp_path: Path) -> None:
    store = Store()
    analysis = departure(store)
    long = (
        "A finding of many words, of the kind that a case of several calls and promises gives rise to, and then some. "
    )
    findings = tuple(
        replace(finding, id=f"{finding.id}-{i}", sentence=f"{i}. {long * 3}")
        for i in range(8)
        for finding in analysis.findings
    )
    judgement = replace(analysis.judgements[0], missing=tuple(f"{i}: {long}" for i in range(12)))
    analysis = replace(analysis, findings=findings, judgements=(judgement,))
    pages = Written(analysis, write_report(analysis, store, tmp_path, now_utc=NOW)).pages()
    assert "The decision asked for" in pages[1]
    assert "Rule: Do not sign yet where" in pages[1]
    assert "What was found" in pages[2]
    assert "11: A finding of many words" in " ".join(pages)


def test_captured_pages_cannot_run_when_opened(practice: Written) -> None:
    names = [path.name for path in (practice.files.folder / "evidence").rglob("*") if path.is_file()]
    assert "E0001-ticket-page.html.txt" in names
    assert not [name for name in names if name.endswith((".html", ".svg", ".js"))]


async def _play(page_path: Path, width: int) -> dict[str, Any]:
    async with open_browser() as (browser, _):
        context = await browser.new_context(offline=True, viewport={"width": width, "height": 800})
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.goto(page_path.as_uri())
        button = page.locator("article .player button").nth(2)
        await button.focus()
        await page.keyboard.press("Enter")
        state: dict[str, Any] = {}
        for _ in range(100):
            state = await page.evaluate(
                "() => { const a = document.querySelector('audio');"
                " return {at: a.currentTime, ready: a.readyState, broken: a.error && a.error.message} }"
            )
            if state["ready"] >= 2 and state["at"] > 0:
                break
            await asyncio.sleep(0.05)
        state |= await page.evaluate(
            "() => ({wide: document.documentElement.scrollWidth, h1: document.querySelectorAll('h1').length,"
            " lang: document.documentElement.lang, hostile: !!document.querySelector('img')})"
        )
        state["errors"] = errors
        return state


def test_a_moment_of_a_call_plays_from_a_folder_by_keyboard(tmp_path: Path) -> None:
    store = Store()
    analysis = departure(store, vendor_text=HOSTILE)
    recording = analysis.calls[0].recording
    assert recording is not None
    store.kept[recording.sha256] = tone_wav(90)
    files = write_report(analysis, store, tmp_path, now_utc=NOW)
    state = asyncio.run(_play(files.html, 1000))
    assert state["broken"] is None
    assert state["at"] >= 12.0
    assert state["errors"] == []
    assert (state["h1"], state["lang"], state["hostile"]) == (1, "en", False)
    assert asyncio.run(_play(files.html, 390))["wide"] <= 390, "no sideways scrolling on a telephone"
