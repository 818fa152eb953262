"""The documentation: every path, module, command, option and make target that a page names exists."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from autosr_assets.cli.main import app

ROOT = Path(__file__).parent.parent
FOLDERS = (
    ".ci",
    ".github",
    "autosr_assets",
    "autosr_lib",
    "benchmarks",
    "deploy",
    "docs",
    "examples",
    "prompts",
    "tests",
)
PATTERNS = ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/*.md", "data/*.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for pattern in PATTERNS for path in ROOT.glob(pattern))
WRITTEN_BY_USERS = {"deploy/compose/.env"}


def code(page: str) -> Iterator[str]:
    """Yield the lines of a page's code blocks without their comments, and its texts in backticks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    block = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
    for lines in block.findall(text):
        yield from (line.split("# ")[0] for line in lines.splitlines())
    yield from re.findall(r"`([^`\n]+)`", block.sub("", text))


def words(page: str) -> set[str]:
    """Return the words of a page's code, without punctuation around them."""
    return {word.rstrip(".:/") for text in code(page) for word in re.split(r"[\s\"'(),;=]+", text)}


@cache
def repository_paths() -> frozenset[str]:
    """Return the files and folders that pages may name, relative to the root."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return frozenset(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*"), *inside])


def names_repository_path(word: str) -> bool:
    is_path = re.fullmatch(r"[\w./-]+", word) is not None
    return is_path and (word.endswith(".py") or ("/" in word and word.split("/", 1)[0] in FOLDERS))


def is_repository_path(path: str) -> bool:
    """Return whether a path exists; pages may leave out its first folders."""
    return any(existing == path or existing.endswith(f"/{path}") for existing in repository_paths())


def is_importable(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one."""
    module, *attributes = name.split(".")
    value = import_module(module)
    for attribute in attributes:
        module = f"{module}.{attribute}"
        try:
            value = import_module(module)
        except ModuleNotFoundError:
            value = getattr(value, attribute, None)
    return value is not None


@cache
def options_by_command() -> dict[str, frozenset[str]]:
    """Return the options of every command and group of `autosr`, by a name such as `runs list`."""
    root = get_command(app)
    context = root.make_context("autosr", [], resilient_parsing=True)

    def commands(group: Any, path: str) -> Iterator[tuple[str, frozenset[str]]]:
        for name in group.list_commands(context):
            _, command, _ = group.resolve_command(context, [name])
            options = frozenset(option for parameter in command.params for option in parameter.opts)
            yield f"{path}{name}", options | {"--help"}
            if hasattr(command, "list_commands"):
                yield from commands(command, f"{path}{name} ")

    return dict(commands(root, ""))


def unknown_parts(call: str) -> set[str]:
    """Return the options of a call that its command lacks, or the command itself if it does not exist."""
    first, second, *_ = [*call.split(), "", ""]
    # A page may name several commands at once: `runs list|show`.
    names = [name for part in second.split("|") for name in (f"{first} {part}", first) if name in options_by_command()]
    if not names:
        return {call}
    return set(re.findall(r"(?<!\S)--\w[\w-]*", call)) - options_by_command()[names[0]]


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_modules_that_a_page_names_exist(page: str) -> None:
    paths = {word for word in words(page) if names_repository_path(word)}
    modules = {word for word in words(page) if re.fullmatch(r"(autosr_lib|autosr_assets|benchmarks)(\.\w+)+", word)}

    assert {path for path in paths if not is_repository_path(path)} <= WRITTEN_BY_USERS
    assert {module for module in modules if not is_importable(module)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_that_a_page_names_exist(page: str) -> None:
    calls = [call for text in code(page) for call in re.findall(r"(?:^|[;|] |do )autosr ([a-z][^#>&;]*)", text)]
    alone = (
        {text.split()[0] for text in code(page) if re.match(r"--\w", text)} if page != "benchmarks/README.md" else set()
    )

    assert set().union(*map(unknown_parts, calls)) == set()
    assert alone <= set().union(*options_by_command().values())


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_a_page_names_exist(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert {target for text in code(page) for target in re.findall(r"\bmake ([a-z][\w-]*)", text)} <= targets
