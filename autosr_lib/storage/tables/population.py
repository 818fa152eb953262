"""The tables `initial_rubrics` and `generation_NN`: one row is one individual of a prompt's population.

The row of position 0 also holds what belongs to the complete state: its calls, history, ancestors and grade bank.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.search.population import Individual
from autosr_lib.search.state import Calls, Milestone, SearchState, StopReason
from autosr_lib.storage.tables.columns import (
    BOOL,
    COMMON,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    Columns,
    Status,
    common_columns,
    field,
    list_of,
)
from autosr_lib.storage.tables.grades import BANK, bank_columns, read_bank
from autosr_lib.storage.tables.structs import (
    ANCESTOR,
    CALLS,
    CRITERION,
    EVALUATION,
    MILESTONE,
    SHARE,
    ancestor_columns,
    calls_columns,
    milestone_columns,
    read_ancestor,
    read_milestones,
)

COUNTS = list_of(field("operator", STRING, "What made them."), field("count", INT, "How many."))
POPULATION = pa.schema(
    [
        *COMMON,
        field("place", INT, "Position in the population, 0 is the best; null for the first rubric once it has left."),
        field("is_initial", BOOL, "Whether this is the first rubric."),
        field("fingerprint", STRING, "The rubric's fingerprint."),
        field("operator", STRING, "What made it: initial, preset, or a mutation mode."),
        field("born", INT, "Generation in which it was made."),
        field("parents", STRINGS, "Fingerprints of its parents."),
        field("gain", FLOAT, "Objective above its best parent's; null for the first rubric."),
        *EVALUATION,
        field("criteria", list_of(*CRITERION, SHARE), "The rubric; `bank` has the details of its criteria."),
        field("generation", INT, "The generation that this table is the state after."),
        field("stopped", STRING, "Why the search of the prompt has ended; null while it continues."),
        field("stagnation", INT, "Generations since the best objective rose."),
        field("distinguished", INT, "Generations in a row in which the best rubric distinguished all of the tail."),
        field("calls", pa.struct(CALLS), "Requests since the start; only on the row of place 0."),
        field("last_calls", pa.struct(CALLS), "Requests of this generation; only on the row of place 0."),
        field("tried", COUNTS, "Children made in this generation; only on the row of place 0."),
        field("kept", COUNTS, "Those that survived the generation; only on the row of place 0."),
        field("ancestors", list_of(*ANCESTOR), "Every rubric ever made; only on the row of place 0."),
        field("history", list_of(*MILESTONE), "Generation 0, 1, …; only on the row of place 0."),
        field("votes", INT, "Votes that the grades have room for; only on the row of place 0."),
        field("bank", BANK, "Every criterion that was ever graded; only on the row of place 0."),
    ]
)
HEAD_COLUMNS = ("history", "last_calls", "criteria", "tried", "kept", "stopped")
"""The columns that `read_population_head` needs."""
STANDING_COLUMNS = ("status", "place", "top_margin", "has_right_top", "stopped")
"""The columns that `read_population_standing` needs."""


class PopulationHead(NamedTuple):
    """The latest generation, as the row of the best individual describes it."""

    history: tuple[Milestone, ...]
    last_calls: Calls
    """Requests of the latest generation."""
    criteria: int
    """How many criteria the best rubric has."""
    tried: Mapping[str, int]
    """Children of the latest generation by operator."""
    kept: Mapping[str, int]
    """Those of them that survived it."""
    stopped: StopReason | None


class PopulationStanding(NamedTuple):
    """How well a population orders the top of its prompt."""

    status: Status
    top_margin: float | None
    """Of the best individual; None if the prompt failed."""
    has_right_top: tuple[bool, ...]
    """For each individual of the population, best first."""
    stopped: StopReason | None


def population_table(prompt_id: str, fingerprint: str, state: SearchState, status: Status) -> pa.Table:
    """Return one row per individual, best first, and always a row of the first rubric."""
    shared = common_columns(prompt_id, fingerprint, status) | {
        "generation": state.generation,
        "stopped": state.stopped and str(state.stopped),
        "stagnation": state.stagnation,
        "distinguished": state.distinguished,
    }
    rows = [
        shared | _individual_columns(individual, position, state)
        for position, individual in enumerate(state.population)
    ]
    if not any(row["is_initial"] for row in rows):
        rows.append(shared | _individual_columns(state.initial, None, state))
    rows[0] |= {
        "calls": calls_columns(state.calls),
        "last_calls": calls_columns(state.last_calls),
        "tried": _count_columns(state.tried),
        "kept": _count_columns(state.kept),
        "ancestors": [ancestor_columns(ancestor) for ancestor in state.ancestors],
        "history": milestone_columns(state.history),
        "votes": state.bank.votes,
        "bank": bank_columns(state.bank),
    }
    return pa.Table.from_pylist(rows, schema=POPULATION)


def carried_table(rows: pa.Table, fingerprint: str, status: Status) -> pa.Table:
    """Return a population's rows after a skipped generation: those of its state after `skip_generation`."""
    nulls = [None] * (rows.num_rows - 1)
    changed: Columns = {
        "status": [str(status)] * rows.num_rows,
        "input_fingerprint": [fingerprint] * rows.num_rows,
        "generation": pc.add(rows["generation"], 1),
        "last_calls": [calls_columns(Calls()), *nulls],
        "tried": [[], *nulls],
        "kept": [[], *nulls],
    }
    for name, values in changed.items():
        column_field = POPULATION.field(name)
        column = pa.array(values, column_field.type) if isinstance(values, list) else values.cast(column_field.type)
        rows = rows.set_column(rows.schema.get_field_index(name), column_field, column)
    return rows if rows.schema.equals(POPULATION, check_metadata=True) else rows.cast(POPULATION)


def pruned_table(rows: pa.Table) -> pa.Table:
    """Return the rows without the state; their input fingerprint still shows that they are up to date."""
    return rows.select([column.name for column in COMMON]).slice(0, 1)


def is_pruned(rows: pa.Table) -> bool:
    """Return whether the state of a population was deleted; `rows` needs the column `history`, if it is stored."""
    return "history" not in rows.column_names


def read_state(table: pa.Table) -> SearchState:
    """Return the state that a population's table holds; the inverse of `population_table`."""
    rows = table.to_pylist()
    head = rows[0]
    bank = read_bank(head["bank"], head["votes"])
    individuals = [_read_individual(row, bank) for row in rows]
    return SearchState(
        generation=head["generation"],
        population=tuple(
            individual for individual, row in zip(individuals, rows, strict=True) if row["place"] is not None
        ),
        initial=next(individual for individual, row in zip(individuals, rows, strict=True) if row["is_initial"]),
        bank=bank,
        ancestors=tuple(read_ancestor(struct) for struct in head["ancestors"]),
        calls=Calls(**head["calls"]),
        last_calls=Calls(**head["last_calls"]),
        tried=_read_counts(head["tried"]),
        kept=_read_counts(head["kept"]),
        stagnation=head["stagnation"],
        distinguished=head["distinguished"],
        stopped=_read_stop_reason(head["stopped"]),
        history=read_milestones(head["history"]),
    )


def read_population_head(rows: pa.Table) -> PopulationHead:
    """Return the description of the latest generation in the first row; `rows` needs `HEAD_COLUMNS`."""
    row = rows.slice(0, 1).select(HEAD_COLUMNS).to_pylist()[0]
    return PopulationHead(
        history=read_milestones(row["history"]),
        last_calls=Calls(**row["last_calls"]),
        criteria=len(row["criteria"]),
        tried=_read_counts(row["tried"]),
        kept=_read_counts(row["kept"]),
        stopped=_read_stop_reason(row["stopped"]),
    )


def read_population_standing(rows: pa.Table) -> PopulationStanding:
    """Return how a population stands; `rows` needs `STANDING_COLUMNS`."""
    individuals = rows.select(STANDING_COLUMNS).to_pylist()
    head = individuals[0]
    tops = tuple(row["has_right_top"] for row in individuals if row["place"] is not None)
    return PopulationStanding(Status(head["status"]), head["top_margin"], tops, _read_stop_reason(head["stopped"]))


def read_stop_reason(rows: pa.Table) -> StopReason | None:
    """Return why the search of a prompt has ended, or None while it continues; `rows` needs the column `stopped` only."""
    return _read_stop_reason(rows["stopped"][0].as_py())


def _read_stop_reason(value: str | None) -> StopReason | None:
    return None if value is None else StopReason(value)


def _individual_columns(individual: Individual, position: int | None, state: SearchState) -> Columns:
    rubric = individual.rubric
    return {
        "place": position,
        "is_initial": individual.is_same_as(state.initial),
        "fingerprint": individual.fingerprint,
        "operator": str(individual.operator),
        "born": individual.generation,
        "parents": list(individual.parents),
        "gain": individual.gain,
        **individual.evaluation._asdict(),
        "criteria": [
            {
                "criterion_key": criterion.key,
                "criterion_id": criterion.criterion_id,
                "text": criterion.text,
                "weight": weight,
            }
            for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True)
        ],
    }


def _read_individual(row: Columns, bank: GradeBank) -> Individual:
    criteria = tuple(
        bank.criteria[struct["criterion_key"]].model_copy(
            update={"criterion_id": struct["criterion_id"], "text": struct["text"], "weight": struct["weight"]}
        )
        for struct in row["criteria"]
    )
    evaluation = Evaluation(**{name: row[name] for name in Evaluation._fields})
    return Individual(
        Rubric(criteria=criteria), evaluation, row["operator"], row["born"], tuple(row["parents"]), row["gain"]
    )


def _count_columns(counts: Mapping[str, int]) -> list[Columns]:
    return [{"operator": operator, "count": count} for operator, count in counts.items()]


def _read_counts(structs: list[Columns]) -> dict[str, int]:
    return {struct["operator"]: struct["count"] for struct in structs}
