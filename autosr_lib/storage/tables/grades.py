"""The grade bank inside a population's table: one struct is one criterion with all its grades."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank
from autosr_lib.storage.tables.columns import FLOAT, INT, Columns, field, list_of
from autosr_lib.storage.tables.structs import CRITERION, DETAILS, CriterionRow, read_criterion

BANK = list_of(
    *CRITERION,
    field("weight", FLOAT, "The weight that it was proposed with; 1 is the mean of its rubric."),
    *DETAILS,
    field("grades", pa.list_(FLOAT), "0..1, candidate by candidate, vote by vote; null: not graded."),
    field("not_applicable", pa.list_(INT), "Positions in `grades` that are not applicable."),
)


def bank_columns(bank: GradeBank) -> list[Columns]:
    """Return one struct per criterion of a bank."""
    structs = []
    for key, criterion in bank.criteria.items():
        flat = bank.arrays[key].ravel()
        structs.append(
            CriterionRow.of(criterion, criterion.weight)._asdict()
            | {
                "grades": [None if math.isnan(grade) or grade == NOT_APPLICABLE else grade for grade in flat.tolist()],
                "not_applicable": np.flatnonzero(flat == NOT_APPLICABLE).tolist(),
            }
        )
    return structs


def read_bank(structs: Sequence[Columns], votes: int) -> GradeBank:
    """Return the bank of a population's table; the inverse of `bank_columns`."""
    criteria, arrays = {}, {}
    for struct in structs:
        criterion = read_criterion(struct)
        flat = np.array([np.nan if grade is None else grade for grade in struct["grades"]], dtype=float)
        flat[struct["not_applicable"]] = NOT_APPLICABLE
        criteria[criterion.key] = criterion
        arrays[criterion.key] = flat.reshape(-1, votes)
    candidates = len(next(iter(arrays.values())))
    return GradeBank(candidates, votes, criteria, arrays)


def count_verifier_grades(rows: pa.Table) -> int:
    """Return how many grades of a verifier a population's bank holds; `rows` needs the column `bank` only."""
    structs = (rows["bank"][0].as_py() if "bank" in rows.column_names else None) or ()
    return sum(
        sum(grade is not None for grade in struct["grades"]) + len(struct["not_applicable"])
        for struct in structs
        if struct["measure"] is None
    )
