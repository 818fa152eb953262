"""Proposes criteria on which the better candidates of the contrasting pairs beat the worse ones."""

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
"""Broad measures and what they are made of."""
NOISE_GAP = 0.03
"""Raw gap below which a difference of two texts is chance."""
SHORTLIST = 5


class HeuristicProposer:
    """Answers from the catalogue of measures; the mode chooses where to look, mode and attempt which of the best."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one to three criteria that the parent lacks; the same for the same request.

        Only sound measures are proposed, never turned round: that a few pairs of one prompt speak for long-windedness,
        or for a word, is mostly chance. On pairs of unseen SummEval summaries such criteria cost two points.
        """
        if request.mode is MutationMode.RAISE_BAR and (raised := self._raise_bar(request)):
            return raised
        if request.mode is MutationMode.DECOMPOSE and (parts := self._decompose(request)):
            return parts
        if request.mode is MutationMode.COUNTEREXAMPLE_TRIGGER:
            return Proposal((self._best(request, RAMPS, request.pairs[:1]),))
        return Proposal((self._best(request, POOLS.get(request.mode, RAMPS), request.pairs),))

    def _raise_bar(self, request: ProposeRequest) -> Proposal | None:
        """Return a measure of the parent with its ramp tightened to where the pairs lie, in place of the old one."""
        options = []
        for criterion in request.parent.criteria:
            asked = _ramp_of(criterion)
            if asked and (tight := _tightened(asked, request)) and _is_new(tight, request):
                options.append(
                    (_clarity(asked.name, asked.inverted, request.prompt_text, request.pairs), tight, criterion)
                )
        options = [option for option in options if option[0] > 0]
        if not options:
            return None
        _, spec, old = self._choose(sorted(options, key=lambda option: (-option[0], option[1])), request)
        return Proposal((measured_criterion(spec),), (old.criterion_id,))

    def _decompose(self, request: ProposeRequest) -> Proposal | None:
        """Return the parts of the broad criterion that misleads most, in place of it."""
        options = []
        for criterion in request.parent.criteria:
            asked = parse_measure(criterion.measure) if criterion.measure else None
            if asked and not asked.inverted and asked.name in PARTS:
                parts = [name for name in PARTS[asked.name] if name in SOUND]
                fit = {name: _clarity(name, False, request.prompt_text, request.pairs) for name in parts}
                specs = [
                    _spread(name, request.prompt_text, request.pairs)
                    for name in sorted(fit, key=lambda name: (-fit[name], name))
                    if fit[name] > 0
                ]
                if fresh := [spec for spec in specs if _is_new(spec, request)][:3]:
                    harm = _clarity(asked.name, False, request.prompt_text, request.pairs)
                    options.append((harm, tuple(fresh), criterion))
        if not options:
            return None
        _, fresh_specs, old = self._choose(sorted(options, key=lambda option: (option[0], option[1])), request)
        return Proposal(tuple(measured_criterion(spec) for spec in fresh_specs), (old.criterion_id,))

    def _best(self, request: ProposeRequest, names: Sequence[str], pairs: Sequence[ContrastPair]) -> Criterion:
        """Return the sound measure of those named that tells the pairs apart best and is new."""
        held = {_name_of(criterion) for criterion in request.parent.criteria}
        ranked = sorted(
            (-_clarity(name, False, request.prompt_text, pairs), name)
            for name in names
            if name in SOUND and name not in held
        )
        clear = [option for option in ranked if option[0] < 0]
        if clear:
            _, name = self._choose(clear, request)
            return measured_criterion(_spread(name, request.prompt_text, pairs))
        # Nothing tells them apart: any sound measure that the parent lacks, and at last a demand on the length.
        spare = [name for name in sorted(SOUND) if name not in held]
        return measured_criterion(self._choose(spare, request) if spare else f"min_words({10 + request.attempt})")

    def _choose(self, ranked: Sequence[T], request: ProposeRequest) -> T:
        """Return one of the first few, the earlier the likelier."""
        draw = unit_draw(self._seed, request.prompt_id, request.parent.fingerprint, request.mode.value, request.attempt)
        return ranked[int(min(SHORTLIST, len(ranked)) * draw**2)]


def _name_of(criterion: Criterion) -> str | None:
    return parse_measure(criterion.measure).name if criterion.measure else None


def _ramp_of(criterion: Criterion) -> Measure | None:
    asked = parse_measure(criterion.measure) if criterion.measure else None
    return asked if asked and MEASURES[asked.name].kind is ArgumentKind.RAMP else None


def _is_new(spec: str, request: ProposeRequest) -> bool:
    return measured_criterion(spec).key not in request.parent.weight_by_key


def _values(name: str, prompt_text: str, pairs: Iterable[ContrastPair]) -> list[tuple[float, float]]:
    return [
        (measure(name, prompt_text, pair.better_text), measure(name, prompt_text, pair.worse_text)) for pair in pairs
    ]


def _clarity(name: str, inverted: bool, prompt_text: str, pairs: Sequence[ContrastPair]) -> float:
    """Return -1..1: how clearly better beats worse; agreement of the pairs counts, the size of one gap does not."""
    gaps = [better - worse for better, worse in _values(name, prompt_text, pairs)]
    if not gaps:
        return 0.0
    return sum(gap / (abs(gap) + NOISE_GAP) for gap in gaps) / len(gaps) * (-1 if inverted else 1)


def _written(name: str, inverted: bool, low: float, high: float) -> str:
    low, high = round(max(0.0, low), 3), round(min(1.0, high), 3)
    ramp = f"({low:g}, {high:g})" if high - low >= 0.01 and (low, high) != (0, 1) else ""
    return ("not " if inverted else "") + name + ramp


def _spread(name: str, prompt_text: str, pairs: Sequence[ContrastPair]) -> str:
    """Return the measure with a ramp over the pairs' values and half as much on either side, for other candidates."""
    if MEASURES[name].kind is not ArgumentKind.RAMP:
        return name
    values = [value for both in _values(name, prompt_text, pairs) for value in both] or [0.0, 1.0]
    room = (max(values) - min(values)) / 2
    return _written(name, False, min(values) - room, max(values) + room)


def _tightened(asked: Measure, request: ProposeRequest) -> str | None:
    """Return the measure with its ramp narrowed to the pairs' values, or None when it is as narrow already."""
    values = [value for both in _values(asked.name, request.prompt_text, request.pairs) for value in both]
    low, high = asked.numbers or (0.0, 1.0)
    if not values:
        return None
    new_low, new_high = max(low, min(values)), min(high, max(values))
    if new_high - new_low < 0.02 or new_high - new_low > 0.9 * (high - low):
        return None
    return _written(asked.name, asked.inverted, new_low, new_high)
