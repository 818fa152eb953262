"""Between the values of the search and the rows of its tables."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.evaluation.responses import Sampled
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.length import NO_LENGTH_BIAS, LengthReport
from autosr_lib.search.population import Ancestor, Individual
from autosr_lib.search.probing import NOT_PROBED, ProbeReport
from autosr_lib.search.state import Calls, Milestone, SearchState, StopReason
from autosr_lib.storage.tables import BEST, CANDIDATES, COMMON, DATASET, POPULATION, PREFERENCES, Status

Row = dict[str, Any]
ROWS_AT_ONCE = 256


def common(prompt_id: str, fingerprint: str, status: Status = Status.DONE, error: str | None = None) -> Row:
    """Return the leading columns of a row."""
    return {"prompt_id": prompt_id, "status": str(status), "error": error, "input_fingerprint": fingerprint}


def unsuccessful(schema: pa.Schema, prompt_id: str, fingerprint: str, status: Status, error: str | None) -> pa.Table:
    """Return the one row of a prompt that failed, or has left the dataset."""
    return pa.Table.from_pylist([common(prompt_id, fingerprint, status, error)], schema=schema)


def pruned(rows: pa.Table) -> pa.Table:
    """Return what is kept of a population whose state is let go: by its fingerprint it stays up to date."""
    return rows.select([one.name for one in COMMON]).slice(0, 1)


def is_pruned(rows: pa.Table) -> bool:
    """Return whether the state of a population, of which `history` at least was read, has been let go."""
    return "history" not in rows.column_names


# --- dataset -----------------------------------------------------------------------------------------------------------


def dataset_batches(prompts: Iterable[Prompt], withdrawn: Iterable[Prompt] = ()) -> Iterator[pa.RecordBatch]:
    """Yield one row a prompt, a few hundred at a time."""
    present = ((prompt, Status.DONE) for prompt in prompts)
    rows = (_prompt_row(*one) for one in chain(present, ((prompt, Status.WITHDRAWN) for prompt in withdrawn)))
    while some := list(islice(rows, ROWS_AT_ONCE)):  # as Python's objects, rows take several times what Arrow needs
        yield pa.RecordBatch.from_pylist(some, schema=DATASET)


def _prompt_row(prompt: Prompt, status: Status) -> Row:
    return {
        "prompt_id": prompt.prompt_id,
        "prompt": prompt.prompt,
        "status": str(status),
        "fingerprint": prompt.fingerprint,
        "metadata": _to_map(prompt.metadata),
        "candidates": _candidate_rows(prompt.candidates),
    }


def _candidate_rows(candidates: Iterable[Candidate]) -> list[Row]:
    return [{**one.model_dump(exclude={"metadata"}), "metadata": _to_map(one.metadata)} for one in candidates]


def read_prompt(row: Row) -> Prompt:
    """Return the prompt of a row of the dataset."""
    return Prompt(
        prompt_id=row["prompt_id"],
        prompt=row["prompt"],
        metadata=_from_map(row["metadata"]),
        candidates=read_candidates(row),
    )


def read_candidates(row: Row) -> tuple[Candidate, ...]:
    """Return the candidates of a row, of the dataset or of what was sampled for it."""
    return tuple(Candidate(**{**one, "metadata": _from_map(one["metadata"])}) for one in row["candidates"] or ())


def _to_map(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in metadata.items()]


def _from_map(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in pairs}


# --- candidates ---------------------------------------------------------------------------------------------------------


def candidates_table(prompt_id: str, fingerprint: str, sampled: Sampled) -> pa.Table:
    """Return the one row of a prompt that was given candidates, or needed none."""
    row = common(prompt_id, fingerprint, Status.INCOMPLETE if sampled.failed else Status.DONE) | {
        "candidates": _candidate_rows(sampled.candidates),
        "calls": sampled.calls,
        "failed": sampled.failed,
        "repeated": sampled.repeated,
    }
    return pa.Table.from_pylist([row], schema=CANDIDATES)


# --- preferences -------------------------------------------------------------------------------------------------------


def preferences_table(
    prompt_id: str, fingerprint: str, known: PromptPreferences, hidden: frozenset[str], *, is_whole: bool = True
) -> pa.Table:
    """Return one row a preference; a prompt without any has one row whose pair is null.

    `is_whole` says that no candidate is still to come.
    """
    status = Status.DONE if is_whole and not known.unjudged else Status.INCOMPLETE
    shared = common(prompt_id, fingerprint, status) | {
        "judge": str(known.judge),
        "calls": known.calls,
        "unjudged": known.unjudged,
    }
    rows: list[Row] = [
        shared | p.model_dump(mode="json") | {"touches_hidden": bool({p.first, p.second} & hidden)}
        for p in known.preferences
    ]
    return pa.Table.from_pylist(rows or [shared], schema=PREFERENCES)


def read_preferences(table: pa.Table) -> PromptPreferences:
    """Return the preferences of one prompt's table."""
    rows = table.to_pylist()
    preferences = tuple(
        Preference(
            first=row["first"],
            second=row["second"],
            verdict=Verdict(row["verdict"]),
            forward=row["forward"] and Verdict(row["forward"]),
            backward=row["backward"] and Verdict(row["backward"]),
        )
        for row in rows
        if row["first"] is not None
    )
    return PromptPreferences(JudgeSetting(rows[0]["judge"]), preferences, rows[0]["calls"], rows[0]["unjudged"])


# --- populations -------------------------------------------------------------------------------------------------------


def population_table(prompt_id: str, fingerprint: str, state: SearchState, status: Status) -> pa.Table:
    """Return one row an individual, best first, and the first rubric in any case."""
    shared = common(prompt_id, fingerprint, status) | {
        "generation": state.generation,
        "stopped": state.stopped and str(state.stopped),
        "stagnation": state.stagnation,
        "distinguished": state.distinguished,
    }
    rows = [shared | _individual_row(one, place, state) for place, one in enumerate(state.population)]
    if not any(row["is_initial"] for row in rows):
        rows.append(shared | _individual_row(state.initial, None, state))
    rows[0] |= {
        "calls": _calls_row(state.calls),
        "last_calls": _calls_row(state.last_calls),
        "tried": _counts_rows(state.tried),
        "kept": _counts_rows(state.kept),
        "ancestors": [_ancestor_row(one) for one in state.ancestors],
        "history": [one._asdict() for one in state.history],
        "votes": state.bank.votes,
        "bank": _bank_rows(state.bank),
    }
    return pa.Table.from_pylist(rows, schema=POPULATION)


def carried_table(rows: pa.Table, fingerprint: str, status: Status) -> pa.Table:
    """Return a population's rows after a generation in which nothing was done: those of its state after `skip_generation`."""
    others = [None] * (rows.num_rows - 1)
    changed: Row = {
        "status": [str(status)] * rows.num_rows,
        "input_fingerprint": [fingerprint] * rows.num_rows,
        "generation": pc.add(rows["generation"], 1),
        "last_calls": [_calls_row(Calls()), *others],
        "tried": [[], *others],
        "kept": [[], *others],
    }
    for name, values in changed.items():
        field = POPULATION.field(name)
        column = pa.array(values, field.type) if isinstance(values, list) else values.cast(field.type)
        rows = rows.set_column(rows.schema.get_field_index(name), field, column)
    return rows if rows.schema.equals(POPULATION, check_metadata=True) else rows.cast(POPULATION)


def read_state(table: pa.Table) -> SearchState:
    """Return the state that a population's table holds; the inverse of `population_table`."""
    rows = table.to_pylist()
    head = rows[0]
    bank = _read_bank(head["bank"], head["votes"])
    individuals = [_read_individual(row, bank) for row in rows]
    return SearchState(
        generation=head["generation"],
        population=tuple(one for one, row in zip(individuals, rows, strict=True) if row["place"] is not None),
        initial=next(one for one, row in zip(individuals, rows, strict=True) if row["is_initial"]),
        bank=bank,
        ancestors=tuple(_read_ancestor(row) for row in head["ancestors"]),
        calls=Calls(**head["calls"]),
        last_calls=Calls(**head["last_calls"]),
        tried={row["operator"]: row["count"] for row in head["tried"]},
        kept={row["operator"]: row["count"] for row in head["kept"]},
        stagnation=head["stagnation"],
        distinguished=head["distinguished"],
        stopped=head["stopped"] and StopReason(head["stopped"]),
        history=tuple(Milestone(**row) for row in head["history"]),
    )


def _individual_row(one: Individual, place: int | None, state: SearchState) -> Row:
    return {
        "place": place,
        "is_initial": one.is_same_as(state.initial),
        "fingerprint": one.fingerprint,
        "operator": str(one.operator),
        "born": one.generation,
        "parents": list(one.parents),
        "gain": one.gain,
        **one.evaluation._asdict(),
        "criteria": [
            {"criterion_key": c.key, "criterion_id": c.criterion_id, "text": c.text, "weight": weight}
            for c, weight in zip(one.rubric.criteria, one.rubric.weights, strict=True)
        ],
    }


def _read_individual(row: Row, bank: GradeBank) -> Individual:
    criteria = tuple(
        bank.criteria[one["criterion_key"]].model_copy(
            update={"criterion_id": one["criterion_id"], "text": one["text"], "weight": one["weight"]}
        )
        for one in row["criteria"]
    )
    evaluation = Evaluation(**{name: row[name] for name in Evaluation._fields})
    return Individual(
        Rubric(criteria=criteria), evaluation, row["operator"], row["born"], tuple(row["parents"]), row["gain"]
    )


def _ancestor_row(one: Ancestor) -> Row:
    return {
        "fingerprint": one.fingerprint,
        "operator": str(one.operator),
        "generation": one.generation,
        "parents": list(one.parents),
        "objective": one.objective,
        "gain": one.gain,
        "weights": [{"criterion_key": key, "weight": weight} for key, weight in one.weights.items()],
    }


def _read_ancestor(row: Row) -> Ancestor:
    weights = {one["criterion_key"]: one["weight"] for one in row["weights"]}
    return Ancestor(**{**row, "parents": tuple(row["parents"]), "weights": weights})


def _calls_row(calls: Calls) -> Row:
    return {name: getattr(calls, name) for name in Calls.__dataclass_fields__}


def _counts_rows(counts: Mapping[str, int]) -> list[Row]:
    return [{"operator": operator, "count": count} for operator, count in counts.items()]


def _bank_rows(bank: GradeBank) -> list[Row]:
    rows = []
    for key, criterion in bank.criteria.items():
        flat = bank.arrays[key].ravel()
        rows.append(
            criterion_row(criterion, criterion.weight)
            | {
                "grades": [None if math.isnan(g) or g == NOT_APPLICABLE else g for g in flat.tolist()],
                "not_applicable": np.flatnonzero(flat == NOT_APPLICABLE).tolist(),
            }
        )
    return rows


def _read_bank(rows: Sequence[Row], votes: int) -> GradeBank:
    criteria, arrays = {}, {}
    for row in rows:
        criterion = read_criterion(row)
        flat = np.array([np.nan if grade is None else grade for grade in row["grades"]], dtype=float)
        flat[row["not_applicable"]] = NOT_APPLICABLE
        criteria[criterion.key] = criterion
        arrays[criterion.key] = flat.reshape(-1, votes)
    candidates = len(next(iter(arrays.values())))
    return GradeBank(candidates, votes, criteria, arrays)


# --- rubrics and the best ----------------------------------------------------------------------------------------------


def criterion_row(criterion: Criterion, weight: float) -> Row:
    """Return a criterion with all its details, and this weight."""
    return {"criterion_key": criterion.key, **criterion.model_dump(mode="json"), "weight": weight}


def rubric_rows(rubric: Rubric) -> list[Row]:
    """Return one row a criterion, with normalised weights."""
    return [criterion_row(c, weight) for c, weight in zip(rubric.criteria, rubric.weights, strict=True)]


def read_criterion(row: Row) -> Criterion:
    """Return the criterion of a row."""
    values = ((name, row[name]) for name in Criterion.model_fields)
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values}
    return Criterion(**fields)


def read_rubric(rows: Iterable[Row]) -> Rubric:
    """Return the rubric of its criteria's rows."""
    return Rubric(criteria=tuple(read_criterion(row) for row in rows))


def best_table(
    prompt_id: str,
    fingerprint: str,
    state: SearchState,
    conclusion: Conclusion,
    known: PromptPreferences,
    hidden: frozenset[str],
    status: Status,
    probes: ProbeReport = NOT_PROBED,
    length: LengthReport = NO_LENGTH_BIAS,
) -> pa.Table:
    """Return the one row of a prompt whose search has ended."""
    row = common(prompt_id, fingerprint, status) | {
        "judge": str(known.judge),
        "rubric": rubric_rows(conclusion.rubric),
        "measured_rubric": rubric_rows(conclusion.measured_rubric),
        "initial_rubric": rubric_rows(state.initial.rubric),
        "candidate_scores": [
            {"candidate_id": name, "score": score, "is_hidden": name in hidden}
            for name, score in conclusion.candidate_scores.items()
        ],
        "best_candidate_id": conclusion.best_candidate_id,
        "best": conclusion.best.fresh._asdict(),
        "initial": conclusion.initial.fresh._asdict(),
        "holdout_pairs": conclusion.holdout.touching.pairs,
        "holdout_initial": conclusion.holdout.touching.initial,
        "holdout_best": conclusion.holdout.touching.best,
        "holdout_remembered": conclusion.holdout.remembered,
        "unseen_pairs": conclusion.holdout.unseen.pairs,
        "unseen_initial": conclusion.holdout.unseen.initial,
        "unseen_best": conclusion.holdout.unseen.best,
        "generations": len(state.history) - 1,
        "stopped": str(conclusion.stopped),
        "calls": _calls_row(state.calls + conclusion.calls),
        "judge_calls": known.calls,
        "probes": [asdict(one) for one in probes.results],
        "gamed_by": [str(probe) for probe in probes.gamed_by],
        "probe_calls": probes.calls,
        "score_follows_length": length.score,
        "criteria_follow_length": length.criteria,
        "lineage": [_ancestor_row(one) for one in lineage(state, conclusion.best.individual.fingerprint)],
        "history": [one._asdict() for one in state.history],
    }
    return pa.Table.from_pylist([row], schema=BEST)


def lineage(state: SearchState, fingerprint: str) -> list[Ancestor]:
    """Return the ancestors of an individual and itself, in the order of their making."""
    by_name = {one.fingerprint: one for one in state.ancestors}
    wanted, queue = set[str](), [fingerprint]
    while queue:
        name = queue.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            queue += by_name[name].parents
    return [one for one in state.ancestors if one.fingerprint in wanted]
