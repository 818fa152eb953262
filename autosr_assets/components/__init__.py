"""YAML to assets: a dataset, and a search over it."""

from autosr_assets.components.prompt_dataset import PromptDataset
from autosr_assets.components.rubric_search import RubricSearch

__all__ = ["PromptDataset", "RubricSearch"]
