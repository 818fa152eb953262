"""Proposal of measured criteria on which the better candidates of the given pairs score higher than the worse ones."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TypeVar

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.measures import MEASURES, ArgumentKind, Measure, measure, parse_measure
from autosr_lib.heuristic.draws import unit_draw
from autosr_lib.heuristic.standards import SOUND, measured_criterion
from autosr_lib.search.roles import ContrastPair, MutationMode, Proposal, ProposeRequest

T = TypeVar("T")

RAMPS = tuple(name for name, entry in MEASURES.items() if entry.kind is ArgumentKind.RAMP)
"""Names of all measures that take a ramp."""
POOLS = MappingProxyType(
    {
        MutationMode.FACTUAL_FOCUS: (
            "faithfulness",
            "grounding",
            "entity_consistency",
            "sentence_support",
            "locality",
            "smoothness",
            "verbatim_sentences",
            "prompt_names",
            "specificity",
            "numbers",
            "centrality",
        ),
        MutationMode.ANTI_FLUFF: (
            "boilerplate",
            "repetition",
            "novelty",
            "variety",
            "density",
            "echo",
            "impersonal",
            "plainness",
            "no_doubling",
            "completeness",
            "length",
            "longest_sentence",
            "copying",
        ),
    }
)
"""The measures that a mutation mode chooses from; the other modes choose from `RAMPS`."""
PARTS = MappingProxyType(
    {
        "faithfulness": ("grounding", "entity_consistency", "locality", "verbatim_sentences"),
        "prompt_coverage": ("lead_coverage", "centrality", "prompt_names"),
        "sentence_support": ("grounding", "locality", "adjacency"),
        "smoothness": ("verbatim_sentences", "locality", "copying"),
        "order": ("lead_first", "adjacency", "cohesion"),
        "novelty": ("repetition", "variety", "density"),
        "length": ("longest_sentence", "shortest_sentence", "specificity"),
        "sentence_length": ("longest_sentence", "shortest_sentence", "plainness"),
        "specificity": ("numbers", "prompt_names", "plainness"),
        "completeness": ("no_dangling", "balance", "capitals"),
        "relevance": ("prompt_coverage", "prompt_names", "echo"),
    }
)
"""Broad measures, and the narrower measures of their aspects."""
NOISE_GAP = 0.03
"""Difference of raw values that counts half; much smaller ones are treated as chance."""
SHORTLIST = 5
"""Number of best options that a proposal is drawn from."""


class HeuristicProposer:
    """Proposes criteria from the catalogue of measures.

    The mode decides which measures are considered. A draw from the mode and the attempt chooses one of the best.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one to three criteria that the parent lacks; the same request gets the same proposal.

        New measures are taken from `SOUND` only and are not inverted. If a few pairs of one prompt favour a wordy
        response, or a particular word, that is mostly chance: on pairs of unseen SummEval summaries, such criteria
        lowered the accuracy by two percentage points.
        """
        if request.mode is MutationMode.RAISE_BAR and (proposal := self._raise_bar(request)):
            return proposal
        if request.mode is MutationMode.DECOMPOSE and (proposal := self._decompose(request)):
            return proposal
        if request.mode is MutationMode.COUNTEREXAMPLE_TRIGGER:
            return Proposal((self._best(request, RAMPS, request.pairs[:1]),))
        return Proposal((self._best(request, POOLS.get(request.mode, RAMPS), request.pairs),))

    def _raise_bar(self, request: ProposeRequest) -> Proposal | None:
        """Return a criterion of the parent with its ramp narrowed to the pairs' values, as a replacement."""
        options = []
        for criterion in request.parent.criteria:
            ramp = _ramp_of(criterion)
            if ramp and (tightened := _tightened(ramp, request)) and _is_new(tightened, request):
                options.append(
                    (_separation(ramp.name, ramp.inverted, request.prompt_text, request.pairs), tightened, criterion)
                )
        options = [option for option in options if option[0] > 0]
        if not options:
            return None
        _, spec, replaced = self._choose(sorted(options, key=lambda option: (-option[0], option[1])), request)
        return Proposal((measured_criterion(spec),), (replaced.criterion_id,))

    def _decompose(self, request: ProposeRequest) -> Proposal | None:
        """Return the narrower criteria of a broad one, as its replacement; of several, one that separates pairs badly."""
        options = []
        for criterion in request.parent.criteria:
            broad = parse_measure(criterion.measure) if criterion.measure else None
            if broad and not broad.inverted and broad.name in PARTS:
                separation_by_part = {
                    name: _separation(name, False, request.prompt_text, request.pairs)
                    for name in PARTS[broad.name]
                    if name in SOUND
                }
                specs = [
                    _spread(name, request.prompt_text, request.pairs)
                    for name, separation in sorted(separation_by_part.items(), key=lambda item: (-item[1], item[0]))
                    if separation > 0
                ]
                if new_specs := tuple([spec for spec in specs if _is_new(spec, request)][:3]):
                    separation = _separation(broad.name, False, request.prompt_text, request.pairs)
                    options.append((separation, new_specs, criterion))
        if not options:
            return None
        _, chosen_specs, replaced = self._choose(sorted(options, key=lambda option: (option[0], option[1])), request)
        return Proposal(tuple(measured_criterion(spec) for spec in chosen_specs), (replaced.criterion_id,))

    def _best(self, request: ProposeRequest, names: Sequence[str], pairs: Sequence[ContrastPair]) -> Criterion:
        """Return a criterion by one of the named sound measures that the parent lacks and that separate pairs best."""
        used = {_measure_name(criterion) for criterion in request.parent.criteria}
        ranked = sorted(
            (-_separation(name, False, request.prompt_text, pairs), name)
            for name in names
            if name in SOUND and name not in used
        )
        separating = [option for option in ranked if option[0] < 0]
        if separating:
            _, name = self._choose(separating, request)
            return measured_criterion(_spread(name, request.prompt_text, pairs))
        # No measure separates the pairs: use any sound measure that the parent lacks, or else a minimum length.
        unused = [name for name in sorted(SOUND) if name not in used]
        return measured_criterion(self._choose(unused, request) if unused else f"min_words({10 + request.attempt})")

    def _choose(self, ranked: Sequence[T], request: ProposeRequest) -> T:
        """Return one of the first `SHORTLIST` options; earlier ones are more likely."""
        draw = unit_draw(self._seed, request.prompt_id, request.parent.fingerprint, request.mode.value, request.attempt)
        return ranked[int(min(SHORTLIST, len(ranked)) * draw**2)]


def _measure_name(criterion: Criterion) -> str | None:
    return parse_measure(criterion.measure).name if criterion.measure else None


def _ramp_of(criterion: Criterion) -> Measure | None:
    """Return the criterion's measure if it takes a ramp, else None."""
    parsed = parse_measure(criterion.measure) if criterion.measure else None
    return parsed if parsed and MEASURES[parsed.name].kind is ArgumentKind.RAMP else None


def _is_new(spec: str, request: ProposeRequest) -> bool:
    return measured_criterion(spec).key not in request.parent.weight_by_key


def _values(name: str, prompt_text: str, pairs: Iterable[ContrastPair]) -> list[tuple[float, float]]:
    """Return the raw values (better, worse) of each pair."""
    return [
        (measure(name, prompt_text, pair.better_text), measure(name, prompt_text, pair.worse_text)) for pair in pairs
    ]


def _separation(name: str, inverted: bool, prompt_text: str, pairs: Sequence[ContrastPair]) -> float:
    """Return -1..1, how consistently the better candidates have higher values; a large gap in one pair adds little."""
    gaps = [better - worse for better, worse in _values(name, prompt_text, pairs)]
    if not gaps:
        return 0.0
    return sum(gap / (abs(gap) + NOISE_GAP) for gap in gaps) / len(gaps) * (-1 if inverted else 1)


def _measure_spec(name: str, inverted: bool, low: float, high: float) -> str:
    """Return the text of a measure with a ramp, or without one where it would be too narrow or change nothing."""
    low, high = round(max(0.0, low), 3), round(min(1.0, high), 3)
    ramp = f"({low:g}, {high:g})" if high - low >= 0.01 and (low, high) != (0, 1) else ""
    return ("not " if inverted else "") + name + ramp


def _spread(name: str, prompt_text: str, pairs: Sequence[ContrastPair]) -> str:
    """Return the measure with a ramp over the pairs' values, widened by half their range on either side.

    The margin leaves room for the values of other candidates.
    """
    if MEASURES[name].kind is not ArgumentKind.RAMP:
        return name
    values = [value for both in _values(name, prompt_text, pairs) for value in both] or [0.0, 1.0]
    margin = (max(values) - min(values)) / 2
    return _measure_spec(name, False, min(values) - margin, max(values) + margin)


def _tightened(ramp: Measure, request: ProposeRequest) -> str | None:
    """Return the measure with its ramp narrowed to the pairs' values, or None if that would hardly change it."""
    values = [value for both in _values(ramp.name, request.prompt_text, request.pairs) for value in both]
    low, high = ramp.numbers or (0.0, 1.0)
    if not values:
        return None
    new_low, new_high = max(low, min(values)), min(high, max(values))
    if new_high - new_low < 0.02 or new_high - new_low > 0.9 * (high - low):
        return None
    return _measure_spec(ramp.name, ramp.inverted, new_low, new_high)
