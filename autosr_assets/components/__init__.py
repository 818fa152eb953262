"""Dagster components, configured in YAML: a dataset, a search over it, and a comparison of searches."""

from autosr_assets.components.prompt_dataset import PromptDataset
from autosr_assets.components.rubric_search import RubricSearch
from autosr_assets.components.search_comparison import SearchComparison

__all__ = ["PromptDataset", "RubricSearch", "SearchComparison"]
