"""The lineage of a best rubric as a tree: each rubric is below its parent."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from autosr_lib.search.population import Ancestor


@dataclass
class Step:
    """A rubric of a lineage."""

    operator: str
    generation: int
    objective: float | None
    """None for a rubric that was never evaluated."""
    gain: float | None
    """Objective minus that of the best parent; None without parents."""
    criteria: int
    """Number of criteria."""
    fingerprint: str
    children: list["Step"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the step as a line of text.

        >>> Step("refine", 2, 0.8125, 0.03125, 4, "9f3a5c7e").text
        'refine in generation 2: objective 0.812, +0.031, 4 criteria (9f3a5c7e)'
        """
        gain = "" if self.gain is None else f", {self.gain:+.3f}"
        return (
            f"{self.operator} in generation {self.generation}: objective {self.objective:.3f}{gain}, "
            f"{self.criteria} criteria ({self.fingerprint[:8]})"
        )


def lineage_tree(ancestors: Iterable[Ancestor]) -> list[Step]:
    """Return the roots of the tree of these ancestors, which must be in order of creation.

    >>> first = Ancestor("a1b2", "initial", 0, (), 0.5, None, {})
    >>> second = Ancestor("c3d4", "refine", 1, ("a1b2",), 0.75, 0.25, {})
    >>> [root] = lineage_tree([first, second])
    >>> root.operator, [child.operator for child in root.children]
    ('initial', ['refine'])
    """
    steps: dict[str, Step] = {}
    roots: list[Step] = []
    for ancestor in ancestors:
        step = Step(
            ancestor.operator,
            ancestor.generation,
            ancestor.objective,
            ancestor.gain,
            len(ancestor.weights),
            ancestor.fingerprint,
        )
        parent = next((steps[fingerprint] for fingerprint in ancestor.parents if fingerprint in steps), None)
        (roots if parent is None else parent.children).append(step)
        steps.setdefault(ancestor.fingerprint, step)
    return roots
