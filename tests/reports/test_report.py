"""The executive report: what it says, that it says all of it, and that others' words stay words."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from audit.analysis.model.audits import Analysis
from audit.analysis.model.comparisons import FollowThrough, VendorTest
from audit.analysis.model.findings import Verdict
from audit.analysis.over_time import over_time
from probes.errors import Unavailable, UserError
from probes.model import Artifact
from reports import tables, words
from reports.documents import executive
from reports.documents.render import Medium, heat, render
from reports.report import evidence_name, write_report
from tests.analysis.golden import golden_analysis
from tests.analysis.plans import plan, vendor
from tests.analysis.test_scorecard import RESPONSE, ledger, run
from tests.reports.samples import NOW, Store, departure, twelve
from tests.reports.test_figures import contrast

HOSTILE = (
    '</p></section><script>fetch("https://evil.example")</script><img src=x onerror=alert(1)>'
    '{{ 7*7 }}{% raw %}\u202egnp.exe <a href="javascript:alert(1)">=HYPERLINK("https://evil.example")</a>'
)


class Page(HTMLParser):
    """Reads a report back: its words, elements, anchors and links."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._silent = 0
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._silent += tag in ("style", "script")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if self._silent:
            if self.scripts:
                self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return squeezed(" ".join(self.words))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def page(analysis: Analysis, medium: Medium = "screen", files: dict[str, str] | None = None) -> str:
    report = executive.build(analysis, files or {}, now_utc=NOW, classification="Confidential")
    return render(report, medium, {})


def paths(analysis: Analysis) -> dict[str, str]:
    return {a.sha256: f"evidence/{evidence_name(e.number, a)}" for e in analysis.evidence for a in e.artifacts}


def sentences(analysis: Analysis) -> list[str]:
    """Everything that the analysis says in words and that the report must carry."""
    said = [headline.sentence for headline in analysis.headlines]
    said += [finding.sentence for finding in analysis.findings]
    said += [record.sentence for record in analysis.promises]
    said += [line.sentence for story in analysis.stories for line in story.lines]
    said += [story.outcome for story in analysis.stories]
    said += [text for item in analysis.judgements for text in (item.rule, *item.conditions, *item.missing)]
    said += [cost.sentence for cost in analysis.costs]
    return [*said, *analysis.method_notes]


@pytest.fixture(scope="module")
def golden() -> Analysis:
    return golden_analysis()


@pytest.mark.parametrize("medium", ["screen", "print"])
def test_every_sentence_of_the_analysis_is_in_the_report(golden: Analysis, medium: Medium) -> None:
    text = Page(page(golden, medium)).text
    for sentence in sentences(golden):
        assert squeezed(sentence) in text, sentence


def test_the_numbers_beside_the_charts_are_those_of_the_measures(golden: Analysis) -> None:
    for analysis in (golden, twelve(Store())):
        text = Page(page(analysis)).text
        for measure in [m for m in analysis.measures if m.n][: executive.MOST_MEASURES]:
            assert squeezed(words.interval_cell(measure)) in text, measure.id
            if measure.estimate is not None:
                assert squeezed(words.estimate(measure)) in text, measure.id


def test_a_chart_shows_the_values_that_its_measure_observed() -> None:
    analysis = twelve(Store())
    described = " ".join(html.unescape(d) for d in re.findall(r"<desc[^>]*>(.*?)</desc>", page(analysis)))
    (measure,) = (m for m in analysis.measures if m.id == "time_to_human_s" and m.vendor == "v11")
    values = ", ".join(
        ("at least " if o.censored else "") + words.duration(o.value)
        for o in sorted(measure.observed, key=lambda o: o.value)
    )
    assert f"Kestrel Mobile: {words.estimate(measure)}" in described
    assert f"observed {values}." in described


def test_every_evidence_number_leads_to_the_index(golden: Analysis) -> None:
    for analysis in (golden, departure(Store()), twelve(Store())):
        read = Page(page(analysis, files=paths(analysis)))
        ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = [a["href"][1:] for tag, a in read.elements if tag == "a" and a.get("href", "").startswith("#")]
        assert links
        assert set(links) <= set(ids)
        cited = {number for finding in analysis.findings for number in finding.evidence}
        assert cited <= set(links)


def test_the_index_gives_file_size_and_hash() -> None:
    analysis = departure(Store())
    text = Page(page(analysis, files=paths(analysis))).text
    for item in analysis.evidence:
        assert squeezed(item.what) in text
        for artifact in item.artifacts:
            assert artifact.sha256 in text
            assert squeezed(artifact.name + words.size(artifact.size_bytes)) in text


@pytest.mark.parametrize("medium", ["screen", "print"])
def test_hostile_words_of_a_vendor_stay_words(medium: Medium) -> None:
    analysis = departure(Store(), vendor_text=HOSTILE)
    record = replace(analysis.promises[0], text=HOSTILE, what=HOSTILE, source=HOSTILE, sentence=HOSTILE)
    vendor = replace(analysis.vendors[0], name=f"Harbour {HOSTILE}")
    analysis = replace(analysis, plan_name=f"Plan {HOSTILE}", promises=(record,), vendors=(vendor,))
    text = page(analysis, medium, paths(analysis))
    read = Page(text)
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"img", "iframe", "object", "embed", "form", "base", "link"}
    assert len(read.scripts) == (1 if medium == "screen" else 0)
    assert not [a for _, a in read.elements if any(name.startswith("on") for name in a)]
    targets = [a[name] for _, a in read.elements for name in ("href", "src") if name in a]
    assert all(target.startswith(("#", "evidence/")) for target in targets)
    assert "\u202e" not in text
    assert "[U+202E]" in text
    assert "7*7" in text, "a template in the vendor's words is not carried out"


def test_the_policy_allows_exactly_the_one_script() -> None:
    read = Page(page(departure(Store())))
    (policy,) = (a["content"] for tag, a in read.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(read.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_a_very_long_message_is_cut_and_says_where_the_whole_is() -> None:
    analysis = departure(Store(), vendor_text="word " * 20_000)
    text = page(analysis)
    assert len(text) < 600_000
    assert "cut here; the whole text has 100," in text


def test_practice_stands_on_the_cover_and_in_every_page_head(golden: Analysis) -> None:
    practice = page(departure(Store(), clock_factor=600.0), "print")
    assert practice.count("clock ran 600 times as fast") >= 2
    assert re.search(r'@top-right \{ content: "Practice vendor, not a real one', practice)
    assert "Practice" not in page(golden, "print")


def test_failures_of_ours_are_not_charged_to_the_vendor() -> None:
    report = executive.build(departure(Store()), {}, now_utc=NOW, classification="Confidential")
    assert all(finding.verdict is Verdict.CONFIRMED for finding in report.established)
    assert any(finding.verdict is Verdict.OURS for finding in report.not_established)
    ours = [f for group in report.groups for f in (group.lead, *group.others) if f.verdict is Verdict.OURS]
    assert not ours


def test_with_many_vendors_page_two_speaks_of_all_of_them_and_stories_are_shared_out() -> None:
    analysis = twelve(Store())
    report = executive.build(analysis, {}, now_utc=NOW, classification="Confidential")
    assert len(report.summaries) == 12
    assert {section.story.vendor for section in report.stories} == {vendor.id for vendor in analysis.vendors}
    assert report.stories_left_out == 48 - 12
    for section in report.promises:
        assert any(row.outcome.value == "kept" for row in section.rows), "the vendor's best is shown too"


def test_the_best_result_is_shown_even_where_only_misses_fit() -> None:
    analysis = twelve(Store())
    late = next(p for p in analysis.promises if p.vendor == "v01" and p.outcome.value == "late")
    kept = next(p for p in analysis.promises if p.vendor == "v01" and p.outcome.value == "kept")
    many = tuple(replace(late, id=f"late-{i}") for i in range(200))
    report = executive.build(replace(analysis, promises=(*many, kept)), {}, now_utc=NOW, classification="Confidential")
    (section,) = report.promises
    assert section.rows[-1] is kept
    assert section.left_out == 201 - len(section.rows)


def test_nothing_measured_yet_is_a_report_that_says_so() -> None:
    analysis = departure(Store())
    empty = replace(
        analysis, headlines=(), measures=(), promises=(), findings=(), stories=(), calls=(), scorecards=(),
        judgements=(), evidence=(),
    )  # fmt: skip
    for medium in ("screen", "print"):
        text = Page(page(empty, medium)).text  # type: ignore[arg-type]
        assert "Nothingyet." in text
        assert "Noverdictwasaskedfor" in text


@pytest.mark.parametrize(
    ("name", "media_type", "said"),
    [
        ("call 1.wav", "audio/wav", "E0001-call-1.wav"),
        ("page.html", "text/html; charset=utf-8", "E0001-page.html.txt"),
        ("page.svg", "text/plain", "E0001-page.svg.txt"),
        ("../../etc/passwd", "text/plain", "E0001-passwd"),
        ("..\\..\\x.exe\n", "application/octet-stream", "E0001-x.exe"),
        ("Łódź–\u202egnp.png", "image/png", "E0001-odzgnp.png"),
        ("", "text/html", "E0001-file.txt"),
        ("." * 300, "image/png", "E0001-file"),
    ],
)
def test_evidence_files_have_names_that_are_safe_everywhere(name: str, media_type: str, said: str) -> None:
    assert evidence_name("E0001", Artifact("0" * 64, media_type, 1, name)) == said


@pytest.mark.parametrize("text", ["=1+1", "+44 20", "-2", "@SUM(A1)", "\tx", "\r=x", "＝1+1", '=HYPERLINK("x")'])
def test_a_table_holds_no_formula(text: str) -> None:
    out = tables.csv_text(("a",), [(text,)])
    ((value,),) = list(csv.reader(io.StringIO(out)))[1:]
    assert value == "'" + text.replace("\r", "\n")
    assert tables.cell(-2.5) == "-2.5", "a number of ours stays a number"


def test_tables_hold_every_observation_and_promise(golden: Analysis) -> None:
    written = {name: list(csv.DictReader(io.StringIO(text))) for name, text in tables.tables(golden, {}).items()}
    assert len(written["observations.csv"]) == sum(len(m.observed) for m in golden.measures)
    assert [row["sentence"] for row in written["promises.csv"]] == [p.sentence for p in golden.promises]
    assert len(written["findings.csv"]) == len(golden.findings)


@pytest.mark.parametrize("score", [None, 0.0, 19.9, 40.0, 60.0, 80.0, 100.0])
def test_scores_can_be_read_on_their_shades(score: float | None) -> None:
    css = (Path(__file__).parents[2] / "templates" / "report" / "base.css").read_text(encoding="utf-8")
    (rule,) = re.findall(rf"\.{heat(score)} {{([^}}]*)}}", css)
    fill = re.search(r"background: (#\w+)", rule)
    ink = re.search(r"(?<!-)color: (#\w+|var)", rule)
    assert fill is not None
    colours = {"var": "#57606b", "#fff": "#ffffff"}
    shown = colours.get(ink[1], ink[1]) if ink else "#1b1f24"
    assert contrast(colours.get(fill[1], fill[1]), shown) >= 4.5


def test_digital_silence_is_no_accident_for_the_report() -> None:
    analysis = departure(Store())
    silent = replace(analysis.measures[0].observed[0], value=float("-inf"))
    levels = tuple(replace(silent, value=value) for value in (float("-inf"), -20.0, -18.0, -17.0))
    loudness = replace(analysis.measures[0], id="hold_loudness_lufs", unit="LUFS", observed=levels, n=4, n_censored=0)
    heard = replace(analysis.findings[0], measure="hold_loudness_lufs")
    analysis = replace(analysis, measures=(loudness,), findings=(heard,))
    assert "−infinite LUFS to −17 LUFS" in page(analysis)
    assert '"value": null' in tables.json_text(analysis)


def test_a_vendor_that_the_plan_does_not_name_is_not_left_out() -> None:
    analysis = replace(departure(Store()), vendors=())
    assert squeezed("harbour: the result on one page") in Page(page(analysis)).text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    store = Store()
    analysis = departure(store)
    (tmp_path / "evidence").write_text("a file where the folder must go")
    with pytest.raises(Unavailable, match=r"could not be written(.|\n)*evidence"):
        write_report(analysis, store, tmp_path, now_utc=NOW)


def test_there_is_no_report_for_nobody(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='no report for "the board"'):
        write_report(departure(Store()), Store(), tmp_path, now_utc=NOW, for_whom="the board")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="this is a file"):
        write_report(departure(Store()), Store(), tmp_path / "file", now_utc=NOW)


def test_what_changed_is_told_with_what_was_not_tested_and_why() -> None:
    def audited(low: float, high: float) -> Analysis:
        hours = list(np.random.default_rng(5).uniform(low, high, 14))
        return run(plan(vendor(RESPONSE)), ledger({"acme": hours}))

    before, after = audited(30, 60), audited(2, 9)
    the_plan = plan(vendor(RESPONSE))
    over = over_time(the_plan, after, [(the_plan, before)], frozenset({"first_human_response_s", "vendor_began"}))
    report = executive.build(after, {}, now_utc=NOW, classification="Confidential", over_time=over)
    told = Page(render(report, "screen", {})).text
    for change in over.comparisons:
        assert squeezed(change.sentence) in told
    assert [change.verdict for change in over.comparisons] == [Verdict.CONFIRMED, Verdict.NOT_ESTABLISHED]
    assert "everysingleoneisthesame" in told
    assert "Whatchangedsince" not in Page(page(after)).text


def test_courtesy_and_outcome_stand_side_by_side_and_vendors_are_compared_aloud(golden: Analysis) -> None:
    point = FollowThrough(
        vendor=golden.vendors[0].id, case=golden.stories[0].case, courtesy=1.0, outcome=0.0, contact="c-1",
        label="charming and useless", evidence=golden.findings[0].evidence,
    )  # fmt: skip
    test = VendorTest(
        measure="hold_s", vendors=("a", "b"), n=(6, 7), chi_square=1.0, p_value=0.3, p_holm=0.3,
        verdict=Verdict.NOT_ESTABLISHED, sentence="Hold: no difference between the vendors is established.",
    )  # fmt: skip
    shown = page(replace(golden, follow_through=(point, replace(point, contact="c-2")), vendor_tests=(test,)))
    told = Page(shown).text
    assert "2charminganduseless." in told
    assert "Courtesyagainstoutcome" in told
    assert squeezed(test.sentence) in told
