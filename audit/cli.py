"""The command line: a command parses, calls one library function and prints. Nothing heavy is imported up here."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probes.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audit.analysis.model.audits import Analysis
    from audit.engine.worker import Worker
    from audit.ledger.store import Ledger
    from audit.plan.reader import PlanFile
    from audit.settings import Settings
    from probes.telephony.carrier import Capability
    from reports.pack import Packed
    from reports.report import ReportFiles

app = typer.Typer(
    name="holdproof",
    help="Audits a vendor's customer support from the outside and proves what it found.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Where audits are kept (default HOLDPROOF_HOME, else ./holdproof).")
]
PublicUrlOption = Annotated[
    str | None,
    typer.Option("--public-url", help="Where the telephone carrier reaches us (https://…), for live calls."),
]
ListenOption = Annotated[
    str | None, typer.Option("--listen", help="HOST:PORT behind the public address (default 127.0.0.1:8620).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
PlanArgument = Annotated[Path, typer.Argument(help="The plan file (YAML).")]
AgainstOption = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        metavar="EARLIER",
        help="Compare with an earlier audit of the same plan: its id, or another home's folder. Again: more looks.",
    ),
]
AuditArgument = Annotated[str | None, typer.Argument(help="The audit's id; default the latest one.")]


@dataclass
class _Globals:
    debug: bool = False


_GLOBALS = _Globals()
_ENDED = {
    "resolved": "solved",
    "given_up": "not solved",
    "audit_ended": "open when the audit ended",
    "stopped": "stopped",
    "ours": "failed on our side: see show",
}


def version() -> str:
    """Return this program's version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("holdproof")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0+checkout"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holdproof {version()}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks for every error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    _GLOBALS.debug = debug


# --- plans ---


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="The folder to write the starter plan into.")]) -> None:
    """Write a commented starter plan and its schema."""
    from audit.plan.starter import write_starter

    path = write_starter(directory)
    typer.echo(f"wrote {path}\nEdit it, then run: holdproof check {path}")


@app.command()
def check(
    plan: PlanArgument,
    home: HomeOption = None,
    public_url: PublicUrlOption = None,
    try_forms: Annotated[
        bool, typer.Option("--try", help="Walk through its ticket forms up to the click that sends; send nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate a plan, then print exactly what would be contacted, when, and the most it can cost."""
    from datetime import UTC, datetime

    from audit.plan.check import preview

    if try_forms:
        from audit.commands.trying import try_plan

        tried = try_plan(_plan(plan), _settings(home, public_url))
        _answer(tried.to_json() if as_json else tried.to_text(), as_json)
        if not tried.sound:
            raise typer.Exit(1)
        return
    settings = _settings(home, public_url)
    seen = preview(_plan(plan), datetime.now(UTC), can=_can(settings), lacking=settings.secrets.lacking)
    _answer(seen.to_json() if as_json else seen.to_text(), as_json)


@app.command()
def record(
    url: Annotated[str, typer.Argument(help="Where the portal's ticket form is, or its start page.")],
    out: Annotated[Path, typer.Option("--out", help="The plan file to write.")] = Path("recorded.yaml"),
    home: HomeOption = None,
) -> None:
    """Open a browser, watch a person use the portal once, and write the plan for it."""
    from audit.commands.recording import record as watch

    text = watch(url, out, _settings(home), say=lambda line: typer.echo(line, err=True))
    typer.echo(f"{text}\nwrote {out}\nRead it, then run: holdproof check --try {out}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of plans, for editors."""
    from audit.plan.schema import plan_schema

    typer.echo(json.dumps(plan_schema(), indent=2))


# --- running ---


@app.command()
def run(
    plan: PlanArgument,
    home: HomeOption = None,
    again: Annotated[bool, typer.Option("--again", help="Begin a new audit though one of this plan ended.")] = False,
    public_url: PublicUrlOption = None,
    listen: ListenOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Contact nobody; print what would be sent.")] = False,
    attended: Annotated[
        bool, typer.Option("--attended", help="Show the browser; a person passes CAPTCHAs and second factors in it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run an audit to its end in this process; resume it if it was interrupted."""
    if dry_run:
        check(plan, home, public_url, as_json=as_json)
        return
    from audit.commands.terminal import ProgressLine
    from audit.engine.run import begin, carry_on
    from audit.plan.check import ready, unset_secrets
    from audit.plan.faults import PlanFaults

    plan_file, settings = _plan(plan), replace(_settings(home, public_url, listen), attended=attended)
    ready(plan_file, can=_can(settings))
    if unset := unset_secrets(plan_file, settings.secrets.lacking):
        raise PlanFaults(plan_file.path, unset)
    ledger = _ledger(settings)
    row, new = begin(plan_file, ledger, version=version(), again=again)
    typer.echo(f"{'began' if new else 'resumed'} audit {row.audit} in {settings.home}", err=True)
    with ProgressLine(ledger, row.audit) as line:
        progress = carry_on(row, ledger, settings, on_progress=line.show, on_trouble=_say_trouble)
    outcomes = ledger.case_outcomes(row.audit)
    document = {
        "audit": row.audit,
        "cases": progress.cases,
        "closed": progress.closed,
        "stopped": progress.stopped,
        "outcomes": {outcome.value: count for outcome, count in sorted(outcomes.items())},
    }
    if progress.stopped is not None:
        _answer(
            document
            if as_json
            else f"audit {row.audit} stopped ({progress.stopped}): "
            f"{progress.closed} of {progress.cases} cases closed. Release it with `holdproof resume` and run again.",
            as_json,
        )
        raise typer.Exit(4)
    how = ", ".join(f"{count} {_ENDED[outcome]}" for outcome, count in sorted(outcomes.items()))
    text = (
        f"audit {row.audit} ended: {progress.cases} cases closed ({how})\n"
        f"next: holdproof cases {row.audit} | holdproof report {row.audit} --out DIR"
    )
    _answer(document if as_json else text, as_json)


@app.command()
def serve(
    home: HomeOption = None,
    name: Annotated[
        str | None, typer.Option("--name", help="This worker's name (PostgreSQL); default machine and number.")
    ] = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=64, help="How many cases it moves at once.")] = 8,
    public_url: PublicUrlOption = None,
    listen: ListenOption = None,
) -> None:
    """Work on all audits until interrupted: alone on a home, or as one of many with HOLDPROOF_DATABASE_URL.

    Workers of one database share one folder as their home, because evidence is kept in it. Each of them that is to
    place live calls needs a public address of its own.
    """
    import signal
    import threading

    from audit.engine import run as engine

    settings, until = _settings(home, public_url, listen), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: until.set())
    engine.serve(
        _ledger(settings),
        settings,
        until,
        name=name,
        at_once=at_once,
        on_ready=lambda worker: typer.echo(_takes_work(worker), err=True),
        on_trouble=_say_trouble,
    )
    typer.echo("worker stopped; what it had begun is taken up by another one, or when it starts again", err=True)
    sys.stderr.flush()
    os._exit(0)  # a tick that still waits for a vendor is not waited for: the ledger holds where it stands


@app.command()
def stop(
    home: HomeOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown wherever work is refused.")] = "stopped by hand",
) -> None:
    """Throw the kill switch: live calls are ended, and nothing new is started until `resume`."""
    from audit.engine.live import stop as stop_all

    settings = _settings(home)
    ended = stop_all(_ledger(settings, quiet=True), settings, reason, _say_trouble)
    typer.echo(f"stopped: {reason}" + (f"; {ended} live contacts ended" if ended else ""))


@app.command()
def resume(home: HomeOption = None) -> None:
    """Release the kill switch."""
    _ledger(_settings(home), quiet=True).set_stopped(None)
    typer.echo("released; workers go on within seconds, or go on with `holdproof run PLAN`")


@app.command()
def settle(
    case: Annotated[str, typer.Argument(help="The case's id, as `holdproof cases --unknown` prints it.")],
    done: Annotated[bool, typer.Option("--done/--not-done", help="Whether the act reached the vendor.")],
    by: Annotated[str, typer.Option("--by", help="Who says so.")],
    note: Annotated[str, typer.Option("--note", help="How it was found out.")] = "",
    contact: Annotated[str | None, typer.Option("--contact", help="Which one, if there are several.")] = None,
    audit: Annotated[str | None, typer.Option("--audit", help="The audit; default the latest with this case.")] = None,
    home: HomeOption = None,
) -> None:
    """Say whether an act of unknown outcome was done. It is recorded, and nothing is repeated because of it."""
    from audit.commands.terminal import audit_of_case
    from audit.engine.settle import settle_unknown

    ledger = _ledger(_settings(home))
    audit_id = audit_of_case(ledger, case, audit)
    act = settle_unknown(ledger, audit_id, case, happened=done, by=by, note=note, contact=contact)
    typer.echo(f"recorded: {act.kind} {act.target} ({act.contact}) was {'done' if done else 'not done'}, says {by}")


# --- looking ---


@app.command()
def status(audit: AuditArgument = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say what is going on, in all audits of this home or in one."""
    from audit.commands.terminal import status_document, status_text

    ledger = _ledger(_settings(home))
    rows = [ledger.audit(audit)] if audit else ledger.audits()
    document = status_document(ledger, rows)
    _answer(document if as_json else status_text(document), as_json)


@app.command()
def cases(
    audit: AuditArgument = None,
    home: HomeOption = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only those with an act of unknown outcome.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the cases of an audit."""
    from audit.commands.terminal import cases_document, cases_text

    ledger = _ledger(_settings(home))
    document = cases_document(ledger, _audit_id(ledger, audit), unknown=unknown)
    _answer(document if as_json else cases_text(document), as_json)


@app.command()
def show(
    case: Annotated[str, typer.Argument(help="The case's id, as `holdproof cases` prints it.")],
    audit: Annotated[str | None, typer.Option("--audit", help="The audit; default the latest with this case.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the story of one case with its evidence."""
    from audit.commands.terminal import audit_of_case, story_document, story_text

    ledger = _ledger(_settings(home))
    analysis = _analysis(ledger, audit_of_case(ledger, case, audit))
    document = story_document(analysis, case)
    _answer(document if as_json else story_text(document), as_json)


@app.command()
def listen(
    file: Annotated[Path, typer.Argument(help="A recording: WAV, MP3, OGG, FLAC or GSM.")],
    as_json: JsonOption = False,
    channel: Annotated[
        int | None, typer.Option("--channel", help="The vendor's channel, from 0 (dual recordings).")
    ] = None,
    sent: Annotated[
        str | None, typer.Option("--sent", help="The keys that we pressed: they tell which channel is ours.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the timeline as SVG.")] = None,
) -> None:
    """Print the timeline of one recording."""
    from audit.commands.listening import listen_to

    heard = listen_to(file, channel, sent, plot)
    _answer(heard.document if as_json else heard.text, as_json)


@app.command()
def judge(
    file: Annotated[Path, typer.Argument(help="A CSV file: case, contact, question, value, reviewer, quote, t_s, …")],
    audit: Annotated[str | None, typer.Option("--audit", help="The audit; default the latest one.")] = None,
    home: HomeOption = None,
) -> None:
    """Read a reviewer's judgements; refuses the file if a row points nowhere."""
    from audit.commands.judging import judge as read_in

    ledger = _ledger(_settings(home))
    count = read_in(ledger, _audit_id(ledger, audit), file)
    typer.echo(f"{count} judgements recorded")


# --- reports and packs ---


@app.command()
def report(
    audit: AuditArgument = None,
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("report"),
    for_whom: Annotated[str, typer.Option("--for", help="executive (vendor, selection: later)")] = "executive",
    data: Annotated[bool, typer.Option("--data", help="Only the tables (CSV) and the data (JSON).")] = False,
    against: AgainstOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report: PDF, HTML and data; with --against also what changed since an earlier audit."""
    from audit.commands.terminal import changes_document, changes_text

    settings = _settings(home)
    ledger = _ledger(settings)
    if data:
        from audit.commands.reporting import write_audit_data

        paths, over = write_audit_data(ledger, _audit_id(ledger, audit), out, version(), against or ())
        written = [str(path) for path in paths]
        document: dict[str, Any] = {"files": written}
    else:
        files = _write_report(settings, ledger, _audit_id(ledger, audit), out, for_whom, against or ())
        document, over = {"pdf": str(files.pdf), "html": str(files.html), "data": str(files.data)}, files.over_time
        written = list(document.values())
    if against:
        document |= {"over_time": changes_document(over)}
    text = "\n".join([*written, *(["", changes_text(over)] if against else [])])
    _answer(document if as_json else text, as_json)


@app.command()
def pack(
    audit: AuditArgument = None,
    out: Annotated[Path, typer.Option("--out", help="The zip file to write.")] = Path("evidence-pack.zip"),
    against: AgainstOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal report, journal and evidence into a pack that anybody can verify."""
    settings = _settings(home)
    ledger = _ledger(settings)
    packed = _write_pack(settings, ledger, _audit_id(ledger, audit), out, against or ())
    document = {"pack": str(packed.path), "sha256": packed.sha256, "files": packed.files, "key": packed.fingerprint}
    text = f"{packed.path}\n  {packed.files} files, SHA-256 {packed.sha256}\n  signed with the key {packed.fingerprint}"
    if packed.not_searched_for:
        text += f"\n  too short to be searched for: {', '.join(packed.not_searched_for)}"
    _answer(document if as_json else text, as_json)


@app.command()
def verify(
    pack_file: Annotated[Path, typer.Argument(metavar="PACK", help="A pack: the zip, or its unpacked folder.")],
    key: Annotated[
        str | None, typer.Option("--key", help="The sender's key words, told another way; a pack by another key fails.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a pack: exit 0 if it is sound; 1 if not, with every missing, changed and extra file named."""
    from reports.verify import verify_pack

    verification = verify_pack(pack_file, fingerprint=key)
    _answer(verification.to_json() if as_json else "\n".join(verification.lines()), as_json)
    if not verification.sound:
        raise typer.Exit(1)


# --- practice ---


@app.command()
def practice(
    directory: Annotated[Path, typer.Option("--dir", help="Where its plan, settings and truth file go.")] = Path(
        "practice"
    ),
    factor: Annotated[float, typer.Option("--factor", help="How many seconds pass in one.")] = 600.0,
) -> None:
    """Start the practice vendor and keep it running until interrupted."""
    from audit.commands.demo import serve_practice

    serve_practice(directory, factor, say=typer.echo)


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="The folder for everything the demo makes.")] = Path("demo"),
    factor: Annotated[float, typer.Option("--factor", help="How many seconds pass in one.")] = 1800.0,
    as_json: JsonOption = False,
) -> None:
    """Run the whole product on the practice vendor: audit, report, pack, verification."""
    from audit.commands.demo import run_demo

    results = run_demo(directory, factor, version=version(), say=lambda text: typer.echo(text, err=True))
    _answer(results.to_json() if as_json else results.to_text(), as_json)
    if not results.sound:
        raise typer.Exit(1)


@app.command()
def doctor(
    home: HomeOption = None,
    public_url: PublicUrlOption = None,
    listen: ListenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is installed, reachable and configured, and how to mend what is not.

    A public address is asked whether it leads here; nothing else outside this machine is contacted.
    """
    from audit.commands.doctor import examine

    findings = examine(_settings(home, public_url, listen))
    if as_json:
        _answer({"findings": [finding.to_json() for finding in findings]}, True)
    else:
        typer.echo("\n".join(finding.to_text() for finding in findings))
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(1)


# --- joining the parts ---


def _settings(home: Path | None, public_url: str | None = None, listen: str | None = None) -> Settings:
    from audit.settings import load_settings

    return load_settings(home, public_url=public_url, listen=listen)


def _takes_work(worker: Worker) -> str:
    settings = worker.settings
    heard = f", and is reached at {settings.public_url}" if settings.public_url else ""
    return f"worker {worker.presence.name} takes work in {settings.home}{heard}"


def _can(settings: Settings) -> Callable[[str], frozenset[Capability]]:
    """Return what tells what a carrier is able to, with these settings."""

    def can(carrier: str) -> frozenset[Capability]:
        from audit.engine.tools import Workshop

        with Workshop(settings) as workshop:
            return workshop.carrier(carrier).capabilities

    return can


def _ledger(settings: Settings, *, quiet: bool = False) -> Ledger:
    """Return the ledger; unless `quiet`, a thrown kill switch is said on stderr, whatever the command."""
    from audit.ledger.store import Ledger

    ledger = Ledger(settings.database_url) if settings.database_url else Ledger.in_folder(settings.home)
    stopped = None if quiet else ledger.stopped()
    if stopped is not None:
        typer.echo(f"STOPPED: {stopped} (release with `holdproof resume`)", err=True)
    return ledger


def _say_trouble(what: AuditError | str) -> None:
    typer.echo(f"trouble: {what}", err=True)


def _plan(path: Path) -> PlanFile:
    from audit.plan.reader import read_plan

    return read_plan(path)


def _audit_id(ledger: Ledger, audit: str | None) -> str:
    from audit.commands.terminal import latest_audit

    return ledger.audit(audit).audit if audit else latest_audit(ledger)


def _analysis(ledger: Ledger, audit: str) -> Analysis:
    from audit.commands.reporting import analyse_audit

    return analyse_audit(ledger, audit, version())


def _write_report(
    settings: Settings, ledger: Ledger, audit: str, out: Path, for_whom: str, against: Sequence[str]
) -> ReportFiles:
    from audit.commands.reporting import write_audit_report

    return write_audit_report(settings, ledger, audit, out, for_whom, version(), against=against)


def _write_pack(settings: Settings, ledger: Ledger, audit: str, out: Path, against: Sequence[str]) -> Packed:
    from audit.commands.reporting import write_audit_pack

    return write_audit_pack(settings, ledger, audit, out, version(), against=against)


def _answer(answer: Any, as_json: bool) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else answer)


def main() -> None:
    """Run the command line. Bad input ends with its exit code and no traceback; a bug shows one and ends with 70."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # Before numpy is loaded. Listening is many small products of matrices: two threads take three times the work for
    # them, most of it waiting for each other, and many times as long where other calls are listened to beside.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except AuditError as exc:
        if _GLOBALS.debug:
            raise
        typer.echo(f"error: {exc}", err=True)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted; what was recorded stays, `holdproof run` resumes", err=True)
        sys.stderr.flush()
        os._exit(130)  # ticks under way are not waited for: the ledger holds where they stand
    except Exception:
        if _GLOBALS.debug:
            raise
        import traceback

        traceback.print_exc()
        typer.echo("error: this is a bug in holdproof; please report the lines above", err=True)
        sys.exit(70)


if __name__ == "__main__":
    main()
