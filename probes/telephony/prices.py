"""Money in minor units, the way events and limits count it."""

from __future__ import annotations

import re

# ISO 4217 (2026-01): currencies whose minor unit is not a hundredth.
_WHOLE = re.compile("BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|VND|VUV|XAF|XOF|XPF")
_THOUSANDTHS = re.compile("BHD|IQD|JOD|KWD|LYD|OMR|TND")


def minor(amount: float, currency: str) -> float:
    """Return an amount in major units (euros) in minor units (cents) of `currency` (ISO 4217)."""
    code = currency.upper()
    return amount * (1.0 if _WHOLE.fullmatch(code) else 1000.0 if _THOUSANDTHS.fullmatch(code) else 100.0)
