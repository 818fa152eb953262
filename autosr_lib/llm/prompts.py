"""Templates of what models are asked: found, checked when loaded, and filled in.

A template is one file a role with two parts, each under its own line: `# system` and `# user`. It is looked for in
`prompts_dir/<language>/`, in `prompts_dir/`, and then in the same two places of the built-in templates.
"""

import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.sandbox import SandboxedEnvironment

import autosr_lib
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.errors import TemplateError
from autosr_lib.llm.settings import LlmSettings, Role

EXTENSIONS = ("md", "j2", "jinja", "txt")
SMALL = 1000
"""Largest number that a template may multiply."""

_CRITERION = {"label": "C1", "text": "t", "check_points": ["p"], "positive_examples": ["e"], "negative_examples": ["e"]}
_PAIR = {
    "number": 1,
    "better": "b",
    "worse": "w",
    "fault": "tied",
    "grades": [{"label": "R1", "better": "0.80", "worse": "0.80"}],
}

# What a template may ask for, by role, as sample values: a template is tried on them when it is loaded.
FIELDS: Mapping[Role, Mapping[str, Any]] = {
    Role.INITIALIZER: {"prompt": "p", "candidates": [{"label": "1", "text": "c"}]},
    Role.PROPOSER: {"prompt": "p", "criteria": [_CRITERION | {"weight": "20%"}], "pairs": [_PAIR], "mode": "raise_bar"},
    Role.VERIFIER: {
        "prompt": "p",
        "criteria": [_CRITERION],
        "candidate": "c",
        "scale": "0-5",
        "scale_max": 5,
        "allow_not_applicable": True,
    },
    Role.JUDGE: {"prompt": "p", "first": "a", "second": "b"},
    Role.RESPONDER: {"prompt": "p"},
}

# Fields on which templates usually branch: each branch is tried.
_BRANCHES: Mapping[Role, Mapping[str, Sequence[Any]]] = {
    Role.INITIALIZER: {"candidates": [[]]},
    Role.PROPOSER: {
        "mode": ["decompose", "factual_focus", "anti_fluff", "counterexample_trigger"],
        "pairs": [[_PAIR | {"fault": fault}] for fault in ("misordered", "close")],
    },
    Role.VERIFIER: {"scale": ["0-1", "binary", "auto"], "allow_not_applicable": [False]},
}

# What a template must show: without it the model would be asked about nothing.
REQUIRED: Mapping[Role, frozenset[str]] = {
    Role.INITIALIZER: frozenset({"prompt"}),
    Role.PROPOSER: frozenset({"prompt", "criteria", "pairs", "mode"}),
    Role.VERIFIER: frozenset({"prompt", "criteria", "candidate"}),
    Role.JUDGE: frozenset({"prompt", "first", "second"}),
    Role.RESPONDER: frozenset({"prompt"}),
}


class Rendered(NamedTuple):
    """The two messages of a request."""

    system: str
    user: str


class PromptTemplate:
    """One role's template, checked."""

    def __init__(self, role: Role, source: str, where: str) -> None:
        """Check the template.

        Raises:
            TemplateError: a part is missing, the syntax is wrong, or a field is unknown, missing or misused.
        """
        self.where = where
        self.source = source
        self._system, self._user = self._compiled(role)
        self.render(FIELDS[role])
        for field, values in _BRANCHES.get(role, {}).items():
            for value in values:
                self.render({**FIELDS[role], field: value})

    def render(self, fields: Mapping[str, Any]) -> Rendered:
        """Return the messages with the fields filled in; their text is data and is never read as a template.

        Raises:
            TemplateError: the template asks for a field that does not exist.
        """
        try:
            return Rendered(self._system.render(fields).strip(), self._user.render(fields).strip())
        except UndefinedError as error:
            raise TemplateError(
                f"{self.where}: {_line(error)}{error.message}; correct the name of the field"
            ) from error
        except RecursionError as error:
            raise TemplateError(f"{self.where}: {_line(error)}cannot be filled in: a macro calls itself") from error
        except (JinjaError, TypeError, ValueError, ArithmeticError) as error:
            raise TemplateError(f"{self.where}: {_line(error)}cannot be filled in: {error}") from error

    def _compiled(self, role: Role) -> tuple[Template, Template]:
        system, user = _parts(self.source, self.where)
        environment = _environment()
        try:
            asked = set[str]().union(*(meta.find_undeclared_variables(environment.parse(p)) for p in (system, user)))
            compiled = environment.from_string(system), environment.from_string(user)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{self.where}: line {error.lineno}: {error.message}") from error
        allowed = set(FIELDS[role])
        if unknown := sorted(asked - allowed):
            raise TemplateError(f"{self.where}: unknown fields {unknown}; the {role} has {sorted(allowed)}")
        if missing := sorted(REQUIRED[role] - asked):
            raise TemplateError(f"{self.where}: fields {missing} are not shown; the {role} cannot do without them")
        return compiled


class PromptSet:
    """The templates of all roles in one language."""

    def __init__(self, settings: LlmSettings) -> None:
        """Load and check all templates.

        Raises:
            TemplateError: one is missing or wrong, or `prompts_dir` does not exist.
        """
        roots = [builtin_prompts()]
        if settings.prompts_dir is not None:
            own = Path(settings.prompts_dir).expanduser()
            if not own.is_dir():
                raise TemplateError(f"prompts_dir {settings.prompts_dir!r} is not a folder; make it or leave it out")
            roots.insert(0, own)
        self._templates = {role: _load(role, roots, settings.prompt_language) for role in Role}

    def __getitem__(self, role: Role) -> PromptTemplate:
        """Return the role's template."""
        return self._templates[role]

    @property
    def fingerprint(self) -> str:
        """Return the name of all templates' content."""
        return fingerprint({role.value: template.source for role, template in self._templates.items()})


def verifier_template(settings: LlmSettings) -> str:
    """Return what the verifier is told, as it is written: with it an export can be graded by anywhere, as it was."""
    return PromptSet(settings)[Role.VERIFIER].source


def builtin_prompts() -> Path:
    """Return the folder of the built-in templates: the wheel's copy, else the one beside the package.

    Raises:
        TemplateError: neither exists; the installation is broken.
    """
    package = Path(autosr_lib.__file__).parent
    for folder in (package / "_prompts", package.parent / "prompts"):
        if folder.is_dir():
            return folder
    raise TemplateError(f"no built-in templates at {package / '_prompts'}; install the package again")


def _load(role: Role, roots: list[Path], language: str) -> PromptTemplate:
    places = [place for root in roots for place in (root / language, root)]
    for place in places:
        for extension in EXTENSIONS:
            path = place / f"{role}.{extension}"
            if path.is_file():
                try:
                    source = path.read_text(encoding="utf-8-sig")
                except (OSError, UnicodeDecodeError) as error:
                    raise TemplateError(f"{path}: cannot be read: {error}") from error
                return PromptTemplate(role, source, str(path))
    raise TemplateError(f"no template {role}.md in {', '.join(map(str, places))}")


def _parts(source: str, where: str) -> tuple[str, str]:
    lines = source.splitlines()
    heads = [line.strip().lower() for line in lines]
    if heads.count("# system") != 1 or heads.count("# user") != 1 or heads.index("# system") > heads.index("# user"):
        raise TemplateError(f"{where}: needs one line '# system' and, after it, one line '# user'")
    start, middle = heads.index("# system"), heads.index("# user")
    opening = "\n".join(lines[:start]).strip()
    if opening and not (opening.startswith("{#") and opening.endswith("#}")):
        raise TemplateError(f"{where}: only a comment {{# … #}} may stand before '# system'")
    # Each part keeps its place in the file, so that Jinja counts lines as the file does; what is rendered is stripped.
    system = [*[""] * (start + 1), *lines[start + 1 : middle]]
    user = [*[""] * (middle + 1), *lines[middle + 1 :]]
    return "\n".join(system), "\n".join(user)


def _line(error: Exception) -> str:
    """Return where in the template an error arose."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return f"line {lines[-1]}: " if lines else ""


class _Sandbox(SandboxedEnvironment):
    """No way to Python, and none to fill the memory or to compute for ever by one product or power."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return the product or power of two small numbers."""
        if not all(isinstance(side, int | float) and abs(side) <= SMALL for side in (left, right)):
            raise SecurityError(f"'{operator}' is for numbers up to {SMALL}")
        return super().call_binop(context, operator, left, right)


@cache
def _environment() -> SandboxedEnvironment:
    environment = _Sandbox(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    # What is drawn at random would make each request another one: no reply is found again.
    del environment.globals["lipsum"], environment.filters["random"]
    return environment
