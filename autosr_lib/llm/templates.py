"""Templates of the messages that models receive: loaded, checked and rendered.

A template is one file per role with two parts, each below its own heading line: `# system` and `# user`. It is searched
for in `prompts_dir/<language>/`, in `prompts_dir/`, and then in the same two folders of the built-in templates.
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
"""Extensions of template files, in order of preference."""
MAX_OPERAND = 1000
"""Largest number that a template may multiply or raise to a power."""

_CRITERION = {"label": "C1", "text": "t", "check_points": ["p"], "positive_examples": ["e"], "negative_examples": ["e"]}
_PAIR = {
    "number": 1,
    "better": "b",
    "worse": "w",
    "fault": "tied",
    "grades": [{"label": "R1", "better": "0.80", "worse": "0.80"}],
}

# All fields of each role's template with sample values. A template is rendered with them when it is loaded.
SAMPLE_FIELDS: Mapping[Role, Mapping[str, Any]] = {
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

# Further values of the fields on which templates usually branch, so that each branch is rendered when it is loaded.
_BRANCH_VALUES: Mapping[Role, Mapping[str, Sequence[Any]]] = {
    Role.INITIALIZER: {"candidates": [[]]},
    Role.PROPOSER: {
        "mode": ["decompose", "factual_focus", "anti_fluff", "counterexample_trigger"],
        "pairs": [[_PAIR | {"fault": fault}] for fault in ("misordered", "close")],
    },
    Role.VERIFIER: {"scale": ["0-1", "binary", "auto"], "allow_not_applicable": [False]},
}

# Fields without which a role cannot do its task.
REQUIRED_FIELDS: Mapping[Role, frozenset[str]] = {
    Role.INITIALIZER: frozenset({"prompt"}),
    Role.PROPOSER: frozenset({"prompt", "criteria", "pairs", "mode"}),
    Role.VERIFIER: frozenset({"prompt", "criteria", "candidate"}),
    Role.JUDGE: frozenset({"prompt", "first", "second"}),
    Role.RESPONDER: frozenset({"prompt"}),
}


class Messages(NamedTuple):
    """The two messages of a request."""

    system: str
    user: str


class PromptTemplate:
    r"""The checked template of one role.

    >>> template = PromptTemplate(Role.RESPONDER, "# system\nBe brief.\n# user\n{{ prompt }}", "responder.md")
    >>> template.render({"prompt": "Explain rain."})
    Messages(system='Be brief.', user='Explain rain.')
    """

    def __init__(self, role: Role, source: str, location: str) -> None:
        """Compile the template and render it with sample values.

        Args:
            role: the role, which decides the fields.
            source: text of the template.
            location: its file, or what else it was read from, for error messages.

        Raises:
            TemplateError: a part is missing, the syntax is wrong, or a field is unknown, missing or misused.
        """
        self.location = location
        self.source = source
        self._system, self._user = self._compile(role)
        self.render(SAMPLE_FIELDS[role])
        for field, values in _BRANCH_VALUES.get(role, {}).items():
            for value in values:
                self.render({**SAMPLE_FIELDS[role], field: value})

    def render(self, fields: Mapping[str, Any]) -> Messages:
        """Return the messages with the fields filled in; the fields are data and are never interpreted as a template.

        Raises:
            TemplateError: the template uses a field that does not exist, or uses one in a way that fails.
        """
        try:
            return Messages(self._system.render(fields).strip(), self._user.render(fields).strip())
        except UndefinedError as error:
            raise TemplateError(
                f"{self.location}: {_error_line(error)}{error.message}; correct the name of the field"
            ) from error
        except RecursionError as error:
            raise TemplateError(
                f"{self.location}: {_error_line(error)}cannot be rendered: a macro calls itself"
            ) from error
        except (JinjaError, TypeError, ValueError, ArithmeticError) as error:
            raise TemplateError(f"{self.location}: {_error_line(error)}cannot be rendered: {error}") from error

    def _compile(self, role: Role) -> tuple[Template, Template]:
        parts = _split_parts(self.source, self.location)
        environment = _environment()
        try:
            used = set[str]().union(*(meta.find_undeclared_variables(environment.parse(part)) for part in parts))
            system, user = (environment.from_string(part) for part in parts)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{self.location}: line {error.lineno}: {error.message}") from error
        allowed = set(SAMPLE_FIELDS[role])
        if unknown := sorted(used - allowed):
            raise TemplateError(f"{self.location}: unknown fields {unknown}; fields of the {role}: {sorted(allowed)}")
        if missing := sorted(REQUIRED_FIELDS[role] - used):
            raise TemplateError(f"{self.location}: required fields of the {role} are missing: {missing}")
        return system, user


class TemplateSet:
    """The templates of all roles in one language."""

    def __init__(self, settings: LlmSettings) -> None:
        """Load and check all templates.

        Raises:
            TemplateError: a template is missing or wrong, or `prompts_dir` does not exist.
        """
        roots = [builtin_templates_folder()]
        if settings.prompts_dir is not None:
            prompts_dir = Path(settings.prompts_dir).expanduser()
            if not prompts_dir.is_dir():
                raise TemplateError(
                    f"prompts_dir {settings.prompts_dir!r} is not a folder; create it or unset prompts_dir"
                )
            roots.insert(0, prompts_dir)
        self._templates = {role: _load(role, roots, settings.prompt_language) for role in Role}

    def __getitem__(self, role: Role) -> PromptTemplate:
        """Return the template of a role."""
        return self._templates[role]

    @property
    def fingerprint(self) -> str:
        """Return a hash of the sources of all templates."""
        return fingerprint({role.value: template.source for role, template in self._templates.items()})


def verifier_template(settings: LlmSettings) -> str:
    """Return the source of the verifier's template, which an export stores so that its rubrics are graded alike anywhere."""
    return TemplateSet(settings)[Role.VERIFIER].source


def builtin_templates_folder() -> Path:
    """Return the folder of the built-in templates: the copy in the wheel, or the folder beside the package.

    Raises:
        TemplateError: neither exists, so the installation is broken.
    """
    package = Path(autosr_lib.__file__).parent
    for folder in (package / "_prompts", package.parent / "prompts"):
        if folder.is_dir():
            return folder
    raise TemplateError(f"no built-in templates in {package / '_prompts'}; reinstall the package")


def _load(role: Role, roots: list[Path], language: str) -> PromptTemplate:
    folders = [folder for root in roots for folder in (root / language, root)]
    for folder in folders:
        for extension in EXTENSIONS:
            path = folder / f"{role}.{extension}"
            if path.is_file():
                try:
                    source = path.read_text(encoding="utf-8-sig")
                except (OSError, UnicodeDecodeError) as error:
                    raise TemplateError(f"{path}: cannot be read: {error}") from error
                return PromptTemplate(role, source, str(path))
    raise TemplateError(f"no template {role}.md in {', '.join(map(str, folders))}")


def _split_parts(source: str, location: str) -> tuple[str, str]:
    """Return the system and the user part of a template, each padded with empty lines to its position in the file.

    The padding makes Jinja report the line numbers of the file; it is stripped after rendering.
    """
    lines = source.splitlines()
    headings = [line.strip().lower() for line in lines]
    is_valid = headings.count("# system") == headings.count("# user") == 1
    if not is_valid or headings.index("# system") > headings.index("# user"):
        raise TemplateError(f"{location}: must contain one line '# system' and, below it, one line '# user'")
    system_line, user_line = headings.index("# system"), headings.index("# user")
    preamble = "\n".join(lines[:system_line]).strip()
    if preamble and not (preamble.startswith("{#") and preamble.endswith("#}")):
        raise TemplateError(f"{location}: only a comment {{# … #}} is allowed above '# system'")
    system = [*[""] * (system_line + 1), *lines[system_line + 1 : user_line]]
    user = [*[""] * (user_line + 1), *lines[user_line + 1 :]]
    return "\n".join(system), "\n".join(user)


def _error_line(error: Exception) -> str:
    """Return the line of the template that raised the error, as the beginning of a message."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return f"line {lines[-1]}: " if lines else ""


class _Sandbox(SandboxedEnvironment):
    """A sandbox that also rejects products and powers large enough to exhaust memory or time."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return the product or power of two small numbers.

        Raises:
            SecurityError: an operand is not a number or is larger than `MAX_OPERAND`.
        """
        if not all(isinstance(operand, int | float) and abs(operand) <= MAX_OPERAND for operand in (left, right)):
            raise SecurityError(f"'{operator}' is only allowed for numbers up to {MAX_OPERAND}")
        return super().call_binop(context, operator, left, right)


@cache
def _environment() -> SandboxedEnvironment:
    environment = _Sandbox(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    # Random content would make each request unique, so that no cached reply could be reused.
    del environment.globals["lipsum"], environment.filters["random"]
    return environment
