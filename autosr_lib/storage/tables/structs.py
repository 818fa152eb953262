"""Structs that several tables share: criteria, evaluations, call counts, ancestors, milestones and candidates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import pyarrow as pa

from autosr_lib.domain.prompt import Candidate
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.search.population import Ancestor
from autosr_lib.search.state import Calls, Milestone
from autosr_lib.storage.tables.columns import BOOL, FLOAT, INT, STRING, STRINGS, Columns, field, list_of

METADATA = pa.map_(STRING, STRING)
SHARE = field("weight", FLOAT, "Share of the rubric, 0..1; the weights of a rubric sum to 1.")
CRITERION = [
    field("criterion_key", STRING, "Hash of the criterion's content; grades are stored under it."),
    field("criterion_id", STRING, "The criterion's id within its rubric."),
    field("text", STRING, "The statement."),
]
DETAILS = [
    field("criterion_type", STRING, "The kind of criterion."),
    field("check_points", STRINGS, "What to look for."),
    field("positive_examples", STRINGS, "Examples that meet it."),
    field("negative_examples", STRINGS, "Examples that do not."),
    field("measure", STRING, "The measure that grades it without a model; null where a verifier does."),
]
COMPLETE_CRITERION = [*CRITERION, SHARE, *DETAILS]
EVALUATION = [
    field("objective", FLOAT, "What the search maximises; compares rubrics of one prompt only."),
    field("tail_acc", FLOAT, "Shrunk weighted pair accuracy; part of the objective, not to be shown."),
    field("tail_var", FLOAT, "Mean vote variance of the tail's scores, unit scale squared."),
    field("diverse_tail_acc", FLOAT, "tail_acc over pairs from different sources."),
    field("pair_accuracy", FLOAT, "Plain share of visible pairs in the reference's order, 0..1, ties half."),
    field("rubric_tail_accuracy", FLOAT, "The same over pairs inside the rubric's own tail."),
    field("strict_tail_accuracy", FLOAT, "Share of pairs touching the reference tail in order, ties wrong."),
    field("pairs", INT, "Pairs that the objective counts."),
    field("effective_pairs", FLOAT, "(sum w)^2 / sum w^2 of their weights."),
    field("top_margin", FLOAT, "Score difference of the top two, negative when the reference disagrees."),
    field("has_right_top", BOOL, "Whether the top candidate is a best one of the reference."),
    field("is_complete", BOOL, "Whether nothing that the rubric needs is ungraded."),
]
CALLS = [
    field("initializer", INT, "Requests to the initializer, cached or not."),
    field("proposer", INT, "Requests to the proposer."),
    field("verifier", INT, "Requests to the verifier."),
    field("failed", INT, "Requests whose reply could not be read."),
    field("ungraded", INT, "Grades that were requested and not received."),
    field("saved_by_bank", INT, "Further verifier requests that grading complete rubrics would have needed."),
    field("saved_by_racing", INT, "Verifier requests saved because their criteria had been dropped."),
]
ANCESTOR = [
    field("fingerprint", STRING, "The rubric's fingerprint."),
    field("operator", STRING, "The operator that made it."),
    field("generation", INT, "The generation in which it was made."),
    field("parents", STRINGS, "Fingerprints of its parents."),
    field("objective", FLOAT, "Its objective on the search's votes."),
    field("gain", FLOAT, "Objective above its best parent's; null for the first rubric."),
    field(
        "weights",
        list_of(field("criterion_key", STRING, "A criterion."), field("weight", FLOAT, "Its share, 0..1.")),
        "Its criteria with their weights; `bank` has the texts.",
    ),
]
MILESTONE = [
    field("best", FLOAT, "The best objective, by the search's votes."),
    field("mean", FLOAT, "The population's mean objective."),
    field("diversity", FLOAT, "Mean pairwise distance of the population's rubrics, 0..1."),
    field("calls", INT, "Requests of the generation."),
]
CANDIDATE = [
    field("candidate_id", STRING, "Id within the prompt."),
    field("text", STRING, "The response."),
    field("source", STRING, "Where it comes from; empty when not known."),
    field("metadata", METADATA, "Its metadata, labels included; each value as JSON."),
]


class CriterionRow(NamedTuple):
    """A criterion as a table holds it, with its share of the rubric as weight.

    It can hold what a `Criterion` refuses, such as an empty text: checks report an invalid stored rubric.
    """

    criterion_key: str
    criterion_id: str
    text: str
    weight: float
    criterion_type: str
    check_points: tuple[str, ...]
    positive_examples: tuple[str, ...]
    negative_examples: tuple[str, ...]
    measure: str | None

    @classmethod
    def of(cls, criterion: Criterion, weight: float) -> CriterionRow:
        """Return the row of a criterion with this weight in place of its own."""
        return cls(criterion_key=criterion.key, **{**criterion.model_dump(), "weight": weight})


RubricRows = tuple[CriterionRow, ...]
"""A rubric as a table holds it."""


def rubric_rows(rubric: Rubric) -> RubricRows:
    """Return one row per criterion, with normalised weights."""
    return tuple(
        CriterionRow.of(criterion, weight) for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True)
    )


def read_rubric_rows(structs: Iterable[Columns] | None) -> RubricRows:
    """Return the criteria of a stored rubric; none where the column is null."""
    return tuple(CriterionRow(**_without_lists(struct)) for struct in structs or ())


def read_criterion(struct: Columns) -> Criterion:
    """Return the criterion of a struct that has all its fields, and perhaps others."""
    return Criterion(**_without_lists({name: struct[name] for name in Criterion.model_fields}))


def _without_lists(struct: Columns) -> Columns:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in struct.items()}


def criterion_columns(rows: Iterable[CriterionRow]) -> list[Columns]:
    """Return the structs of a rubric's criteria."""
    return [row._asdict() for row in rows]


def calls_columns(calls: Calls) -> Columns:
    """Return the struct of a number of calls."""
    return asdict(calls)


def ancestor_columns(ancestor: Ancestor) -> Columns:
    """Return the struct of an ancestor."""
    return {
        "fingerprint": ancestor.fingerprint,
        "operator": str(ancestor.operator),
        "generation": ancestor.generation,
        "parents": list(ancestor.parents),
        "objective": ancestor.objective,
        "gain": ancestor.gain,
        "weights": [{"criterion_key": key, "weight": weight} for key, weight in ancestor.weights.items()],
    }


def read_ancestor(struct: Columns) -> Ancestor:
    """Return the ancestor of a struct; the inverse of `ancestor_columns`."""
    weights = {share["criterion_key"]: share["weight"] for share in struct["weights"]}
    return Ancestor(**{**struct, "parents": tuple(struct["parents"]), "weights": weights})


def milestone_columns(history: Iterable[Milestone]) -> list[Columns]:
    """Return the structs of a search's history."""
    return [milestone._asdict() for milestone in history]


def read_milestones(structs: Iterable[Columns]) -> tuple[Milestone, ...]:
    """Return the history of a search; the inverse of `milestone_columns`."""
    return tuple(Milestone(**struct) for struct in structs)


def candidate_columns(candidates: Iterable[Candidate]) -> list[Columns]:
    """Return the structs of candidates."""
    return [
        {**candidate.model_dump(exclude={"metadata"}), "metadata": metadata_pairs(candidate.metadata)}
        for candidate in candidates
    ]


def read_candidates(structs: Iterable[Columns] | None) -> tuple[Candidate, ...]:
    """Return the candidates of a row; none where the column is null."""
    return tuple(Candidate(**{**struct, "metadata": read_metadata(struct["metadata"])}) for struct in structs or ())


def metadata_pairs(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return metadata as Arrow's maps hold it, each value as JSON.

    >>> metadata_pairs({"rank": 1, "note": "good"})
    [('rank', '1'), ('note', '"good"')]
    """
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in metadata.items()]


def read_metadata(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return metadata; the inverse of `metadata_pairs`.

    >>> read_metadata([("rank", "1"), ("note", '"good"')])
    {'rank': 1, 'note': 'good'}
    """
    return {name: json.loads(value) for name, value in pairs}
