"""Values of which an audit of a million events gives hundreds of thousands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["plentiful"]

if TYPE_CHECKING:
    from dataclasses import dataclass as plentiful
else:
    from dataclasses import dataclass

    def plentiful(*, frozen, slots, kw_only=False):
        """A frozen dataclass for whoever checks types, who finds every assignment to it; at run time one that is not.

        Freezing makes a value three times as slow to make, which was a sixth of a large analysis.
        """
        assert frozen
        return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=True)
