"""Settings of a dataset: its file, what is held as true of it, and what is hidden from every search over it."""

from pydantic import Field

from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings, ResponseSettings, Settings


class DatasetSettings(Settings):
    """A dataset, as all searches over it share it."""

    path: str = Field(min_length=1)
    """The file: JSON, JSON Lines, CSV or Parquet; a path from the project's folder, or an address such as `s3://…`."""
    skip_invalid: bool = False
    """Whether faulty prompts are dropped and reported, instead of refusing the file."""
    responses: ResponseSettings = ResponseSettings()
    """Who answers prompts that have too few candidates."""
    reference: ReferenceSettings = ReferenceSettings()
    """What is held as true."""
    holdout: HoldoutSettings = HoldoutSettings()
    """What is hidden from the search."""
