"""The parts of a plan file that could be read, before it is known whether they make a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from audit.plan.model import Persona, Sample, Scenario, Vendor
from audit.plan.source import Keys, Node
from probes.model import Probe

# Place in the file, message, and how to mend it.
Found = tuple[Keys, str, str]


@dataclass
class Draft:
    """The parts of a plan that could be read. Lists are kept by index, without their faulty members."""

    parts: Mapping[str, Any]
    root: Node
    load: Callable[[str], Probe]
    vendors: dict[int, Vendor] = field(init=False)
    personas: dict[int, Persona] = field(init=False)
    scenarios: dict[int, Scenario] = field(init=False)
    samples: dict[int, Sample] = field(init=False)

    def __post_init__(self) -> None:
        self.vendors, self.personas = self.parts.get("vendors", {}), self.parts.get("personas", {})
        self.scenarios, self.samples = self.parts.get("scenarios", {}), self.parts.get("samples", {})

    def declared(self, section: str) -> dict[str, int]:
        """Return the ids of a section, faulty members included, each with the index where it first stands."""
        ids: dict[str, int] = {}
        for index, name in self.named(section):
            ids.setdefault(name, index)
        return ids

    def named(self, section: str) -> Iterator[tuple[int, str]]:
        """Yield index and id of a section's members."""
        node = self.root.at(section)
        for index in (node.items or {}) if node is not None and node.is_list else {}:
            name = self.root.at(section, index, "id")
            if isinstance(index, int) and name is not None and name.text:
                yield index, name.text

    def channel_names(self, vendor: str) -> set[str]:
        """Return the names of a vendor's channels, faulty ones included."""
        node = self.root.at("vendors", self.declared("vendors")[vendor], "channels")
        return {str(name) for name in (node.items or {})} if node is not None and not node.is_list else set()

    @cached_property
    def sampled(self) -> dict[str, dict[str, set[str]]]:
        """Scenario → vendor → personas, as the samples name them (ids that exist only)."""
        pairs: dict[str, dict[str, set[str]]] = {}
        vendors, personas = self.declared("vendors"), self.declared("personas")
        for sample in self.samples.values():
            for vendor in [name for name in sample.vendors if name in vendors] or vendors:
                here = pairs.setdefault(sample.scenario, {}).setdefault(vendor, set())
                here.update([name for name in sample.personas if name in personas] or personas)
        return pairs
