"""The fifteen dimensions of the scorecard, as METHOD.md numbers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension: `id` is its name in weights and scale files."""

    number: int
    id: str
    name: str


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension(1, "listens", "Listens"),
    Dimension(2, "clarifies", "Clarifies"),
    Dimension(3, "acknowledges", "Acknowledges"),
    Dimension(4, "truthful", "Truthful expectations"),
    Dimension(5, "informs", "Keeps informed"),
    Dimension(6, "refuses_honestly", "Honest refusal"),
    Dimension(7, "resolves", "Resolves, does not pass on"),
    Dimension(8, "follows_up", "Follows up"),
    Dimension(9, "remembers", "Remembers"),
    Dimension(10, "proactive", "Proactive"),
    Dimension(11, "respects_time", "Respects time"),
    Dimension(12, "equal_respect", "Equal respect"),
    Dimension(13, "consistent", "Consistency"),
    Dimension(14, "defined", "Defined"),
    Dimension(15, "no_upsell", "No upsell as a cure"),
)

BY_ID: dict[str, Dimension] = {dimension.id: dimension for dimension in DIMENSIONS}
