"""Templates: where they are found, and what is wrong with them."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autosr_lib.errors import TemplateError
from autosr_lib.evaluation.settings import Scale
from autosr_lib.llm.prompts import FIELDS, PromptSet, builtin_prompts
from autosr_lib.llm.proposer import MODES
from autosr_lib.llm.settings import LlmSettings, Role

ROOT = Path(__file__).parents[2]


def loaded(folder: Path | None = None, language: str = "en") -> PromptSet:
    return PromptSet(LlmSettings(prompt_language=language, prompts_dir=None if folder is None else str(folder)))


def write(path: Path, text: str = "# system\nMINE\n# user\n{{ prompt }} {{ first }} {{ second }}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_every_language_has_every_role(language: str, role: Role) -> None:
    template = loaded(language=language)[role]

    folder = ROOT / "prompts" / language if language != "fr" else ROOT / "prompts"
    assert Path(template.where) == folder / f"{role}.md"
    system, user = template.render(FIELDS[role])
    assert ("JSON" in system) is (role is not Role.RESPONDER)
    assert ("<data-" in system) is (role is not Role.RESPONDER)
    assert user


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_each_mode_of_the_proposer_has_its_own_instruction(language: str) -> None:
    template = loaded(language=language)[Role.PROPOSER]

    systems = {template.render(FIELDS[Role.PROPOSER] | {"mode": mode.value}).system for mode in MODES}

    assert len(systems) == len(MODES) == 5
    without = len(template.render(FIELDS[Role.PROPOSER] | {"mode": "none"}).system)
    assert all(len(system) > without + 60 for system in systems)


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_the_verifier_is_told_the_scale(language: str) -> None:
    template = loaded(language=language)[Role.VERIFIER]

    told = {scale: template.render(FIELDS[Role.VERIFIER] | {"scale": scale.value}).system for scale in Scale}

    assert len(set(told.values())) == 3
    assert told[Scale.AUTO] == told[Scale.FIVE]
    assert "null" not in template.render(FIELDS[Role.VERIFIER] | {"allow_not_applicable": False}).system


def test_the_chinese_prompts_ask_in_chinese_for_chinese() -> None:
    for role in Role:
        system, user = loaded(language="zh")[role].render(FIELDS[role])

        letters = re.sub(r'"[^"]*"|<data-…>|</data-…>|JSON|[^A-Za-z\u4e00-\u9fff]', "", system + user)
        assert len(re.findall(r"[\u4e00-\u9fff]", letters)) > 0.9 * len(letters)
        if role in (Role.INITIALIZER, Role.PROPOSER):
            assert "全部用中文书写" in system


def test_a_users_language_comes_before_his_folder_and_that_before_the_built_in(tmp_path: Path) -> None:
    def found() -> str:
        return loaded(tmp_path, "zh")[Role.JUDGE].where

    assert found() == str(builtin_prompts() / "zh" / "judge.md")
    plain = write(tmp_path / "judge.txt")
    assert found() == str(plain)
    own = write(tmp_path / "zh" / "judge.j2")
    assert found() == str(own)
    assert loaded(tmp_path, "en")[Role.JUDGE].where == str(plain)
    assert loaded(tmp_path, "zh")[Role.VERIFIER].where == str(builtin_prompts() / "zh" / "verifier.md")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "# system\n# user\n{{ promt }}{{ prompt }}{{ first }}{{ second }}",
            r"unknown fields \['promt'\]; the judge has",
        ),
        ("# system\n# user\n{{ prompt }}{{ first }}", r"fields \['second'\] are not shown"),
        ("# system\n# user\n{{ prompt.rank }}{{ first }}{{ second }}", "has no attribute 'rank'"),
        ("# system\n# user\n{{ prompt }}{% if first %}{{ second }}", "line 3: Unexpected end of template"),
        ("{{ prompt }}{{ first }}{{ second }}", "one line '# system' and, after it, one line '# user'"),
        ("# user\n{{ prompt }}\n# system\n", "one line '# system'"),
        ("Hello\n# system\n# user\n{{ prompt }}{{ first }}{{ second }}", "only a comment"),
        ("# system\n# user\n{{ prompt.__class__.mro() }}{{ first }}{{ second }}", "cannot be filled in|unsafe"),
        ("# system\n# user\n{{ prompt / 0 }}{{ first }}{{ second }}", "cannot be filled in"),
    ],
)
def test_a_wrong_template_is_refused_when_loaded_with_its_name_and_field(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path / "judge.md", text)

    with pytest.raises(TemplateError, match=says) as caught:
        loaded(tmp_path)

    assert str(path) in str(caught.value)


def test_a_field_of_a_thing_in_a_list_is_checked_too(tmp_path: Path) -> None:
    text = "# system\n# user\n{{ prompt }}{{ candidate }}{% for c in criteria %}{{ c.wieght }}{% endfor %}"
    write(tmp_path / "verifier.md", text)

    with pytest.raises(TemplateError, match="no attribute 'wieght'"):
        loaded(tmp_path)


def test_a_fault_in_a_branch_that_is_seldom_taken_is_found_too(tmp_path: Path) -> None:
    text = (
        '# system\n# user\n{{ prompt }}{{ candidate }}{{ criteria }}{% if scale == "binary" %}{{ prompt.x }}{% endif %}'
    )
    write(tmp_path / "verifier.md", text)

    with pytest.raises(TemplateError, match="no attribute 'x'"):
        loaded(tmp_path)


def test_a_template_that_is_no_text_or_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="not a folder"):
        loaded(tmp_path / "nothing")

    (tmp_path / "judge.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TemplateError, match="cannot be read"):
        loaded(tmp_path)


def test_data_is_never_read_as_a_template() -> None:
    evil = "{{ prompt }} {% for x in range(9) %}x{% endfor %} {# gone #}"

    _, user = loaded()[Role.JUDGE].render({"prompt": "p", "first": evil, "second": "{{ 7 * 7 }}"})

    assert evil in user
    assert "{{ 7 * 7 }}" in user


def test_the_fingerprint_changes_with_any_template(tmp_path: Path) -> None:
    before = loaded(tmp_path).fingerprint
    write(tmp_path / "judge.md")

    assert loaded(tmp_path).fingerprint != before
    assert loaded(language="zh").fingerprint != before


@pytest.mark.slow
def test_the_wheel_carries_the_templates_and_finds_them(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)  # noqa: S603 - our own command
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")

    code = "from autosr_lib.llm.prompts import *; PromptSet(LlmSettings()); print(builtin_prompts())"
    found = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], cwd=tmp_path / "site", check=True, capture_output=True, text=True
    )

    assert Path(found.stdout.strip()) == tmp_path / "site" / "autosr_lib" / "_prompts"
