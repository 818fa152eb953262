"""YAML to assets: a dataset, a search over it, and searches side by side."""

from autosr_assets.components.prompt_dataset import PromptDataset
from autosr_assets.components.rubric_search import RubricSearch
from autosr_assets.components.search_comparison import SearchComparison

__all__ = ["PromptDataset", "RubricSearch", "SearchComparison"]
