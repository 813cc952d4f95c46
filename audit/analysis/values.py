"""Values of which an audit of a million events gives hundreds of thousands. Pure."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Deferred", "changed", "clusters_of", "no_cycle_search", "plentiful"]

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


Plentiful = TypeVar("Plentiful")


def changed(value: Plentiful, /, **fields: Any) -> Plentiful:
    """Return a plentiful value with other values in these fields: `dataclasses.replace` in a third of the time."""
    made = object.__new__(type(value))
    for name in value.__slots__:  # type: ignore[attr-defined]
        setattr(made, name, fields[name] if name in fields else getattr(value, name))
    return made


def clusters_of(cases: Iterable[str]) -> NDArray[np.int64] | None:
    """Return the number of the case of each observation; None where no two are of one case."""
    places: dict[str, int] = {}
    numbers = [places.setdefault(case, len(places)) for case in cases]
    return None if len(places) == len(numbers) else np.array(numbers, dtype=np.int64)


@contextmanager
def no_cycle_search() -> Iterator[None]:
    """Keep Python from searching millions of small values for cycles, of which there are none: a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if gc.get_freeze_count() == 0:  # into the oldest generation at once: no search through all that is new
                gc.freeze()
                gc.unfreeze()
            gc.enable()


Value = TypeVar("Value", covariant=True)


class Deferred(Sequence[Value]):
    """A tuple that is worked out when somebody first looks into it, and equal to that tuple."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Iterable[Value]]) -> None:
        self._make: Callable[[], Iterable[Value]] | None = make
        self._made: tuple[Value, ...] = ()

    def _values(self) -> tuple[Value, ...]:
        if self._make is not None:
            with no_cycle_search():
                self._made = tuple(self._make())
            self._make = None  # and with it all that it was worked out from
        return self._made

    @overload
    def __getitem__(self, place: int) -> Value: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Value, ...]: ...
    def __getitem__(self, place: int | slice) -> Value | tuple[Value, ...]:
        return self._values()[place]

    def __len__(self) -> int:
        return len(self._values())

    def __iter__(self) -> Iterator[Value]:
        return iter(self._values())

    def __eq__(self, other: object) -> bool:
        return self._values() == tuple(other) if isinstance(other, Deferred | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return repr(self._values())
