"""Mutations of a single rubric: applying a proposal, and perturbing the weights (docs/method.md §7)."""

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.search.roles import Proposal
from autosr_lib.search.rubric_edits import heaviest, make_rubric, with_weights

PERTURBATION = 0.5
"""Standard deviation of the logarithm of the factor by which a weight is perturbed."""


def apply_proposal(parent: Rubric, proposal: Proposal, max_criteria: int) -> Rubric | None:
    """Return the parent with the proposed criteria, or None if the parent has all of them already.

    The new criteria share the weight of the criteria that they replace; if they replace none, or only criteria of
    weight 0, each gets the parent's mean weight. If there are more than `max_criteria`, the lightest are dropped.

    >>> from autosr_lib.domain.rubric import Criterion
    >>> parent = Rubric(criteria=(Criterion(criterion_id="a", text="Clear."), Criterion(criterion_id="b", text="Short.")))
    >>> child = apply_proposal(parent, Proposal((Criterion(criterion_id="c", text="True."),), replaces=("a",)), 16)
    >>> [(criterion.criterion_id, criterion.weight) for criterion in child.criteria]
    [('c', 0.5), ('b', 0.5)]
    """
    replaced_ids = {
        criterion.criterion_id for criterion in parent.criteria if criterion.criterion_id in proposal.replaces
    }
    kept = [
        criterion.model_copy(update={"weight": weight})
        for criterion, weight in zip(parent.criteria, parent.weights, strict=True)
        if criterion.criterion_id not in replaced_ids
    ]
    new = {criterion.key: criterion for criterion in proposal.criteria if criterion.key not in parent.weight_by_key}
    if not new:
        return None
    freed_weight = sum(
        weight
        for criterion, weight in zip(parent.criteria, parent.weights, strict=True)
        if criterion.criterion_id in replaced_ids
    )
    share = freed_weight / len(new) if freed_weight > 0 else 1 / len(parent.criteria)
    added = [criterion.model_copy(update={"weight": share}) for criterion in new.values()]
    return make_rubric(heaviest([*added, *kept], max_criteria))


def perturb_weights(parent: Rubric, rng: np.random.Generator) -> Rubric:
    """Return the parent with each weight multiplied by a log-normal draw.

    >>> from autosr_lib.domain.rubric import Criterion
    >>> parent = Rubric(criteria=(Criterion(criterion_id="a", text="Clear."), Criterion(criterion_id="b", text="Short.")))
    >>> [round(weight, 2) for weight in perturb_weights(parent, np.random.default_rng(7)).weights]
    [0.46, 0.54]
    """
    factors = np.exp(rng.normal(0.0, PERTURBATION, len(parent.criteria)))
    return with_weights(parent, (np.asarray(parent.weights) * factors).tolist())
