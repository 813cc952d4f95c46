"""The kill switch, a person's side of it: nothing new is started, and what is live is ended at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from audit.engine.contact import abandon
from audit.engine.cursor import Cursor
from audit.engine.tools import Workshop
from audit.ledger.codec import from_json
from audit.ledger.store import Ledger, audit_clock
from audit.model import CaseRow
from audit.plan.reader import parse_plan
from audit.settings import Settings
from probes.errors import AuditError
from probes.registry import load


def stop(ledger: Ledger, settings: Settings, reason: str, on_trouble: Callable[[AuditError | str], None]) -> int:
    """Throw the kill switch and end what is live, workers or not; return how many live contacts were ended.

    A worker, now or when it runs again, accounts for them: it looks at what is left of each until all is known.
    """
    ledger.set_stopped(reason)
    if not ledger.live_effects():
        return 0
    with Workshop(settings) as workshop:
        return sum(1 for _ in end_live(ledger, workshop, on_trouble=on_trouble))


def end_live(
    ledger: Ledger, workshop: Workshop, *, on_trouble: Callable[[AuditError | str], None]
) -> Iterator[CaseRow]:
    """End every live contact and yield its case. Ending twice does no harm, so that nobody waits for another.

    Nothing is recorded here: the case's next tick does that, and looks at what became of it.
    """
    for effect in ledger.live_effects():
        row, case = ledger.audit(effect.audit), ledger.case(effect.audit, effect.case)
        under_way = from_json(Cursor, case.cursor).under_way
        if under_way is None or under_way.handle is None or under_way.effect_key != effect.key:
            continue  # its answer is not stored yet: the tick that stores it ends it
        plan = parse_plan(row.plan_yaml, row.plan_path).plan
        vendor = plan.vendor(case.vendor)
        probe = load(vendor.channels[under_way.channel].kind)
        if not hasattr(probe, "abandon"):
            continue
        tools = workshop.tools_for(row.audit, plan, ledger, audit_clock(row))(vendor, ())
        try:
            workshop.do(abandon(probe, from_json(probe.Handle, under_way.handle), tools))
        except AuditError as exc:
            on_trouble(exc)
        yield case
