"""Grade new responses with the rubrics of a search, as the search graded its candidates.

```python
from autosr_lib.reward import Rubrics

rubrics = Rubrics.load("data/exports/my.json")
async with rubrics:
    scored = await rubrics.score("p1", "A new response.")
    print(scored.score, scored.ungraded, [(grade.text, grade.grade, grade.reasons) for grade in scored.grades])
```

`rubrics.blocking()` does the same for code that is not asynchronous. The modules `trl`, `verl` and `verifiers` are
reward functions for these trainers; `server` is the HTTP server.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosr_lib.reward.rubrics import Rubrics
    from autosr_lib.reward.scored import CriterionGrade, Scored

__all__ = ["CriterionGrade", "Rubrics", "Scored"]

_MODULES = {"CriterionGrade": "scored", "Rubrics": "rubrics", "Scored": "scored"}


def __getattr__(name: str) -> Any:
    # Lazy, so that importing one module of the package does not import all others, with the model client.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
