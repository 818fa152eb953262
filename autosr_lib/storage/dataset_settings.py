"""Settings of a dataset, which all searches over it share."""

from pydantic import Field

from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings, ResponseSettings, Settings


class DatasetSettings(Settings):
    """A dataset: its file, its reference order, and the candidates that are hidden from every search."""

    path: str = Field(min_length=1)
    """The file, in JSON, JSON Lines, CSV or Parquet: a path relative to the project's folder, or an address such as `s3://…`."""
    skip_invalid: bool = False
    """Whether faulty prompts are left out and reported, instead of refusing the file."""
    responses: ResponseSettings = ResponseSettings()
    """The models that answer prompts with too few candidates."""
    reference: ReferenceSettings = ReferenceSettings()
    """How the reference order of candidates is found."""
    holdout: HoldoutSettings = HoldoutSettings()
    """Which candidates are hidden from every search."""
