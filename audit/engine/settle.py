"""A person's word on an act of which nobody knows whether it reached the vendor: recorded, never acted on."""

from __future__ import annotations

from audit.ledger.store import Ledger, audit_clock
from audit.model import Effect, EffectState
from probes.errors import UserError
from probes.events import EffectReconciled
from probes.model import Sighting, Trace


def settle_unknown(
    ledger: Ledger, audit: str, case: str, *, happened: bool, by: str, note: str = "", contact: str | None = None
) -> Effect:
    """Settle a case's unknown act; return it. What did not happen counts no longer towards the limits.

    The case goes on, or stays closed, as it was: nothing is repeated because of this.

    Raises:
        UserError: the case has no unknown act, or several and it is not said which.
    """
    row = ledger.case(audit, case)
    unknown = [act for act in ledger.effects(audit, state=EffectState.UNKNOWN) if act.case == row.case]
    wanted = [act for act in unknown if contact in (None, act.contact)]
    if not wanted:
        known = ", ".join(act.contact for act in unknown) or "none"
        raise UserError(f"there is no such act of unknown outcome in {case}", fix=f"those of this case: {known}")
    if len(wanted) > 1:
        listed = ", ".join(act.contact for act in wanted)
        raise UserError(f"{case} has {len(wanted)} acts of unknown outcome", fix=f"name one with --contact: {listed}")
    (effect,) = wanted
    trace = Trace.FOUND if happened else Trace.ABSENT
    how = f"{by} says that it {'was' if happened else 'was not'} done" + (f": {note}" if note else "")
    now = audit_clock(ledger.audit(audit)).now_utc()
    with ledger.writing(audit) as writing:
        if happened:
            writing.settle(effect.key, EffectState.DONE, live=False)
        else:
            writing.withdraw(effect.key, state=EffectState.UNKNOWN)
        said = Sighting(what=EffectReconciled(effect.key, trace.value, how), at_utc=now)
        writing.append([said], case=case, contact=effect.contact)
    return effect
