"""Names of the stored tables."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class TableName:
    """The name of a stored table: who owns it, and the asset whose rows it holds.

    `str()` gives the two joined by a slash; `parse` reads that text back. The class methods name the tables that exist.

    Raises:
        ValueError: The owner has an empty part, or the asset is empty or contains a slash.

    >>> str(TableName("news", "preferences"))
    'news/preferences'
    """

    owner: str
    """The dataset or search that the table belongs to; "" for a table of the project."""
    asset: str
    """The asset, for example `best_rubrics`."""

    def __post_init__(self) -> None:
        if not self.asset or "/" in self.asset:
            raise ValueError(f"asset of a table is {self.asset!r}; must be a non-empty text without '/'")
        if self.owner and not all(self.owner.split("/")):
            raise ValueError(f"owner of the table {self.asset!r} is {self.owner!r}; must not have an empty part")

    def __str__(self) -> str:
        return f"{self.owner}/{self.asset}" if self.owner else self.asset

    @property
    def parts(self) -> list[str]:
        """Return the parts of the name, which are also the path of the asset's key.

        >>> TableName("news", "preferences").parts
        ['news', 'preferences']
        """
        return str(self).split("/")

    @classmethod
    def parse(cls, name: str) -> "TableName":
        """Return the table name that `name` is the text of.

        >>> TableName.parse("news/preferences")
        TableName(owner='news', asset='preferences')
        """
        owner, slash, asset = name.rpartition("/")
        if slash and not owner:
            raise ValueError(f"{name!r} is not the name of a table; must be an owner, '/' and an asset")
        return cls(owner, asset)

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> "TableName":
        """Return the name of an asset's table, from the path of the asset's key.

        >>> TableName.from_parts(["news", "preferences"])
        TableName(owner='news', asset='preferences')
        """
        return cls.parse("/".join(parts))

    @classmethod
    def dataset(cls, dataset: str) -> "TableName":
        """Return the name of the table of a dataset's prompts.

        >>> str(TableName.dataset("news"))
        'news/dataset'
        """
        return cls(dataset, "dataset")

    @classmethod
    def candidates(cls, dataset: str) -> "TableName":
        """Return the name of the table of the candidates that were sampled for a dataset's prompts.

        >>> str(TableName.candidates("news"))
        'news/candidates'
        """
        return cls(dataset, "candidates")

    @classmethod
    def preferences(cls, dataset: str) -> "TableName":
        """Return the name of the table of the preferences between a dataset's candidates.

        >>> str(TableName.preferences("news"))
        'news/preferences'
        """
        return cls(dataset, "preferences")

    @classmethod
    def generation(cls, search: str, number: int) -> "TableName":
        """Return the name of the table of the populations after generation `number`; 0 means the initial rubrics.

        >>> str(TableName.generation("short", 0)), str(TableName.generation("short", 12))
        ('short/initial_rubrics', 'short/generation_12')
        """
        return cls(search, f"generation_{number:02d}" if number else "initial_rubrics")

    @classmethod
    def hard_prompts(cls, search: str, number: int) -> "TableName":
        """Return the name of the table of the prompts that generation `number` evolves in the scope `global_batch`.

        >>> str(TableName.hard_prompts("short", 1))
        'short/hard_prompts_01'
        """
        return cls(search, f"hard_prompts_{number:02d}")

    @classmethod
    def best_rubrics(cls, search: str) -> "TableName":
        """Return the name of the table of each prompt's best rubric.

        >>> str(TableName.best_rubrics("short"))
        'short/best_rubrics'
        """
        return cls(search, "best_rubrics")

    @classmethod
    def rubric_export(cls, search: str) -> "TableName":
        """Return the name of the table that describes the latest export of a search.

        >>> str(TableName.rubric_export("short"))
        'short/rubric_export'
        """
        return cls(search, "rubric_export")

    @classmethod
    def comparison(cls, dataset: str, comparison: str) -> "TableName":
        """Return the name of the table of a comparison of searches over a dataset.

        >>> str(TableName.comparison("news", "one_or_two_votes"))
        'news/one_or_two_votes'
        """
        return cls(dataset, comparison)

    @classmethod
    def calls(cls, run_id: str) -> "TableName":
        """Return the name of the table of a run's model calls; each step of the run is a partition.

        >>> str(TableName.calls("1b4e28ba"))
        'calls/1b4e28ba'
        """
        return cls("calls", run_id)

    @classmethod
    def runs(cls) -> "TableName":
        """Return the name of the table of the finished runs of all searches; each run is a partition.

        >>> str(TableName.runs())
        'runs'
        """
        return cls("", "runs")
