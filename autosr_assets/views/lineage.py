"""The way from the first rubric to the best, as a tree: each below the parent that it came from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Step:
    """One rubric on the way."""

    operator: str
    generation: int
    objective: float
    gain: float | None
    criteria: int
    fingerprint: str
    children: list["Step"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the step in one line."""
        gain = "" if self.gain is None else f", {self.gain:+.3f}"
        return (
            f"{self.operator} in generation {self.generation}: objective {self.objective:.3f}{gain}, "
            f"{self.criteria} criteria ({self.fingerprint[:8]})"
        )


def lineage_tree(ancestors: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Return the roots of the tree of these ancestors, which come in the order of their making."""
    steps: dict[str, Step] = {}
    roots: list[Step] = []
    for row in ancestors:
        step = Step(
            row["operator"], row["generation"], row["objective"], row["gain"], len(row["weights"]), row["fingerprint"]
        )
        parent = next((steps[name] for name in row["parents"] if name in steps), None)
        (roots if parent is None else parent.children).append(step)
        steps.setdefault(row["fingerprint"], step)
    return roots
