"""`judge`: a reviewer's table of judgements into the ledger, as events like any other."""

from __future__ import annotations

import csv
from pathlib import Path

from audit.analysis.judging import COLUMNS, read_statements
from audit.ledger.store import Ledger, audit_clock
from probes.errors import UserError
from probes.model import Sighting


def judge(ledger: Ledger, audit: str, file: Path) -> int:
    """Append the judgements of a CSV file to an audit; return how many.

    Raises:
        UserError: the file cannot be read, or some rows point nowhere; nothing is written then.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise UserError(
            f"the judgements cannot be read: {reason}",
            at=str(file),
            fix=f"give a CSV file in UTF-8 with the columns {', '.join(COLUMNS)}",
        ) from exc
    statements, faults = read_statements(rows, ledger.events(audit))
    if faults:
        words = "\n".join(f"  row {fault.row}: {fault.message}\n    fix {fault.fix}" for fault in faults)
        raise UserError(f"{len(faults)} of {len(rows)} rows are refused, and nothing is written\n{words}", at=str(file))
    now = audit_clock(ledger.audit(audit)).now_utc()
    with ledger.writing(audit) as writing:
        for statement in statements:
            writing.append([Sighting(what=statement.what, at_utc=now)], case=statement.case, contact=statement.contact)
    return len(statements)
