"""The page of accuracy: each figure is held against what is asked of it."""

from typing import Any

import pytest

from bench.calls import score
from bench.listen_page import Results, page, placed, short

LABEL: dict[str, Any] = {
    "id": "made-1", "scenario": "queue", "duration_s": 60.0,
    "segments": [
        {"start_s": 0.0, "end_s": 10.0, "kind": "speech", "label": "ivr", "source": "menu", "occurrence": 1},
        {"start_s": 10.0, "end_s": 50.0, "kind": "music", "label": "hold_music"},
        {"start_s": 50.0, "end_s": 60.0, "kind": "speech", "label": "agent", "source": "person", "occurrence": 1},
    ],
    "holds": [{"start_s": 10.0, "end_s": 50.0}],
    "music_loop_s": None, "ignore": [], "maybe_holds": [], "events": {}, "channel": {},
}  # fmt: skip


def heard(holds: list[dict[str, float]]) -> dict[str, Any]:
    return {"segments": LABEL["segments"], "holds": holds, "music_loop_s": None, "tones": [], "messages": []}


def results(holds: list[dict[str, float]], *detectors: str) -> Results:
    total = score.score(LABEL, heard(holds), 0.1)
    told = {"total": score.figures(total), "scenes": {"queue": score.figures(total)}}
    own = dict.fromkeys(("holdproof", *detectors), told)
    return Results({"own": own, "outside": {}}, total, {}, {"own": ["made"], "outside": []})


@pytest.mark.parametrize(
    ("holds", "found", "spurious"),
    [
        ([{"start_s": 10.0, "end_s": 50.0}], "1 of 1 ✓", "0 ✓"),
        ([{"start_s": 0.0, "end_s": 5.0}], "0 of 1 ✗", "1 ✗"),
    ],
)
def test_a_target_that_is_missed_is_marked(holds: list[dict[str, float]], found: str, spurious: str) -> None:
    written = page(results(holds))
    rows = {line.split(" | ")[0].strip("| "): line for line in written.splitlines() if line.startswith("|")}
    assert found in rows["holds found"]
    assert spurious in rows["holds spurious"]
    assert "1 ✓" in rows["frames of 100 ms right"]


def test_the_tables_of_the_readme_are_written_in_their_places_and_the_rest_stays() -> None:
    figures, beside = (f"<!-- {name} -->\nstale\n<!-- end of {name} -->\n" for name in ("figures", "beside"))
    text = f"One.\n\n{figures}\nTwo.\n{beside}Three.\n"
    tables = short(results([{"start_s": 10.0, "end_s": 50.0}], "silero"))
    written = placed(text, tables)
    assert "stale" not in written
    assert written.startswith("One.\n\n<!-- figures -->\n| holdproof | asked |")
    assert "|  | holdproof | silero |" in written.partition("Two.")[2]
    assert written.endswith("<!-- end of beside -->\nThree.\n")
    assert placed(written, tables) == written


def test_a_run_without_detectors_leaves_their_table_alone_and_a_text_without_a_place_is_named() -> None:
    tables = short(results([{"start_s": 10.0, "end_s": 50.0}]))
    assert list(tables) == ["figures"]
    with pytest.raises(ValueError, match="figures"):
        placed("no place", tables)
