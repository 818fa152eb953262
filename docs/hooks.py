"""What `mkdocs.yml` cannot say: which files of the repository are pages, and the reference made from docstrings."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("*.md", "*/README.md", "docs/**/*.md", "docs/images/*", "benchmarks/results/*.png")
LINKED = ("autosr_assets/runtime/home.py", "build.yaml", "dagster_cloud.yaml", "deploy/**/*.yaml", "examples/ci/*.yml")
"""Files that pages link to; the site serves them as they are."""
LIBRARY = ROOT / "autosr_lib"
PACKAGES = ("domain", "evaluation", "search", "pipeline", "results", "reward", "storage", "llm", "heuristic")
CITATION = re.compile(r"docs/method\.md §(\d+)")


def on_config(config: MkDocsConfig) -> None:
    """Complete the navigation: the decisions and the reference are listed by what is there."""
    decisions = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/decisions/0*.md"))
    nav: list[Any] = config.nav or []
    nav[-1]["Change"].append({"Decisions": ["docs/decisions/index.md", *decisions]})
    nav.append({"Reference": [{name: f"reference/{name}.md"} for name in _modules_by_package()]})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace mkdocs' files by those of the repository, at the same places, and add the reference."""
    paths = {path.relative_to(ROOT).as_posix() for pattern in (*PAGES, *LINKED) for path in ROOT.glob(pattern)}
    own = [File(path, str(ROOT), config.site_dir, config.use_directory_urls) for path in sorted(paths)]
    reference = [
        File.generated(config, f"reference/{name}.md", content=_reference_page(name, modules))
        for name, modules in _modules_by_package().items()
    ]
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*theme, *own, *reference])


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link the sections of docs/method.md that docstrings cite; one that does not exist fails the build."""
    if not page.url.startswith("reference/"):
        return html
    titles = dict(re.findall(r"^## §(\d+) (.+)$", (ROOT / "docs/method.md").read_text(encoding="utf-8"), re.MULTILINE))

    def link(citation: re.Match[str]) -> str:
        number = citation[1]
        if number not in titles:
            raise PluginError(f"{page.url}: a docstring cites docs/method.md §{number}, which does not exist")
        anchor = f"{number}-{titles[number].lower().replace(' ', '-')}"
        return f'<a href="../../docs/method/#{anchor}">{citation[0]}</a>'

    return CITATION.sub(link, html)


def _modules_by_package() -> dict[str, list[str]]:
    """Return the modules of each page of the reference, by the page's name."""
    by_package = {f"autosr_lib.{name}": _modules((LIBRARY / name).rglob("*.py")) for name in PACKAGES}
    return {"autosr_lib": _modules(LIBRARY.glob("*.py")), **by_package}


def _modules(paths: Iterable[Path]) -> list[str]:
    """Return the dotted names of the modules and packages at these paths, sorted."""
    names = (path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths)
    return sorted(name.removesuffix(".__init__") for name in names)


def _reference_page(name: str, modules: list[str]) -> str:
    return f"# {name}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"
