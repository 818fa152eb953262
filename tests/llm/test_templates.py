"""Templates: which file is used, and which faults are reported."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autosr_lib.errors import TemplateError
from autosr_lib.evaluation.settings import Scale
from autosr_lib.llm.roles.proposer import MODES
from autosr_lib.llm.settings import LlmSettings, Role
from autosr_lib.llm.templates import SAMPLE_FIELDS, TemplateSet, builtin_templates_folder

ROOT = Path(__file__).parents[2]


def load_templates(folder: Path | None = None, language: str = "en") -> TemplateSet:
    return TemplateSet(LlmSettings(prompt_language=language, prompts_dir=None if folder is None else str(folder)))


def write(path: Path, text: str = "# system\nMINE\n# user\n{{ prompt }} {{ first }} {{ second }}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_every_language_has_every_role(language: str, role: Role) -> None:
    template = load_templates(language=language)[role]

    folder = ROOT / "prompts" / language if language != "fr" else ROOT / "prompts"
    assert Path(template.location) == folder / f"{role}.md"
    system, user = template.render(SAMPLE_FIELDS[role])
    assert ("JSON" in system) is (role is not Role.RESPONDER)
    assert ("<data-" in system) is (role is not Role.RESPONDER)
    assert user


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_each_mode_of_the_proposer_has_its_own_instruction(language: str) -> None:
    template = load_templates(language=language)[Role.PROPOSER]

    systems = {template.render(SAMPLE_FIELDS[Role.PROPOSER] | {"mode": mode.value}).system for mode in MODES}

    assert len(systems) == len(MODES) == 5
    without = len(template.render(SAMPLE_FIELDS[Role.PROPOSER] | {"mode": "none"}).system)
    assert all(len(system) > without + 60 for system in systems)


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_the_verifiers_template_states_the_scale(language: str) -> None:
    template = load_templates(language=language)[Role.VERIFIER]

    systems = {scale: template.render(SAMPLE_FIELDS[Role.VERIFIER] | {"scale": scale.value}).system for scale in Scale}

    assert len(set(systems.values())) == 3
    assert systems[Scale.AUTO] == systems[Scale.FIVE]
    assert "null" not in template.render(SAMPLE_FIELDS[Role.VERIFIER] | {"allow_not_applicable": False}).system


def test_the_chinese_templates_are_in_chinese_and_ask_for_chinese() -> None:
    for role in Role:
        system, user = load_templates(language="zh")[role].render(SAMPLE_FIELDS[role])

        letters = re.sub(r'"[^"]*"|<data-…>|</data-…>|JSON|[^A-Za-z\u4e00-\u9fff]', "", system + user)
        assert len(re.findall(r"[\u4e00-\u9fff]", letters)) > 0.9 * len(letters)
        if role in (Role.INITIALIZER, Role.PROPOSER):
            assert "全部用中文书写" in system


def test_a_template_of_the_language_takes_precedence_over_the_folder_and_that_over_the_built_in_one(
    tmp_path: Path,
) -> None:
    def judge_location() -> str:
        return load_templates(tmp_path, "zh")[Role.JUDGE].location

    assert judge_location() == str(builtin_templates_folder() / "zh" / "judge.md")
    plain = write(tmp_path / "judge.txt")
    assert judge_location() == str(plain)
    own = write(tmp_path / "zh" / "judge.j2")
    assert judge_location() == str(own)
    assert load_templates(tmp_path, "en")[Role.JUDGE].location == str(plain)
    assert load_templates(tmp_path, "zh")[Role.VERIFIER].location == str(
        builtin_templates_folder() / "zh" / "verifier.md"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# system\n# user\n{{ promt }}{{ prompt }}{{ first }}{{ second }}",
            r"unknown fields \['promt'\]; fields of the judge",
        ),
        ("# system\n# user\n{{ prompt }}{{ first }}", r"required fields of the judge are missing: \['second'\]"),
        ("# system\n# user\n{{ prompt.rank }}{{ first }}{{ second }}", "has no attribute 'rank'"),
        ("# system\n# user\n{{ prompt }}{% if first %}{{ second }}", "line 3: Unexpected end of template"),
        ("{{ prompt }}{{ first }}{{ second }}", "one line '# system' and, below it, one line '# user'"),
        ("# user\n{{ prompt }}\n# system\n", "one line '# system'"),
        ("Hello\n# system\n# user\n{{ prompt }}{{ first }}{{ second }}", "only a comment"),
        ("# system\n# user\n{{ prompt.__class__.mro() }}{{ first }}{{ second }}", "cannot be rendered|unsafe"),
        ("# system\n# user\n{{ prompt / 0 }}{{ first }}{{ second }}", "cannot be rendered"),
    ],
)
def test_an_invalid_template_is_rejected_when_loaded_with_its_path_and_field(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path / "judge.md", text)

    with pytest.raises(TemplateError, match=message) as caught:
        load_templates(tmp_path)

    assert str(path) in str(caught.value)


def test_a_field_of_a_list_item_is_checked(tmp_path: Path) -> None:
    text = "# system\n# user\n{{ prompt }}{{ candidate }}{% for c in criteria %}{{ c.wieght }}{% endfor %}"
    write(tmp_path / "verifier.md", text)

    with pytest.raises(TemplateError, match="no attribute 'wieght'"):
        load_templates(tmp_path)


def test_a_fault_in_a_rarely_used_branch_is_detected(tmp_path: Path) -> None:
    text = (
        '# system\n# user\n{{ prompt }}{{ candidate }}{{ criteria }}{% if scale == "binary" %}{{ prompt.x }}{% endif %}'
    )
    write(tmp_path / "verifier.md", text)

    with pytest.raises(TemplateError, match="no attribute 'x'"):
        load_templates(tmp_path)


def test_a_binary_template_and_a_missing_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="not a folder"):
        load_templates(tmp_path / "nothing")

    (tmp_path / "judge.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TemplateError, match="cannot be read"):
        load_templates(tmp_path)


def test_data_is_never_interpreted_as_a_template() -> None:
    hostile = "{{ prompt }} {% for x in range(9) %}x{% endfor %} {# gone #}"

    _, user = load_templates()[Role.JUDGE].render({"prompt": "p", "first": hostile, "second": "{{ 7 * 7 }}"})

    assert hostile in user
    assert "{{ 7 * 7 }}" in user


def test_the_fingerprint_changes_with_any_template(tmp_path: Path) -> None:
    before = load_templates(tmp_path).fingerprint
    write(tmp_path / "judge.md")

    assert load_templates(tmp_path).fingerprint != before
    assert load_templates(language="zh").fingerprint != before


@pytest.mark.slow
def test_the_wheel_contains_the_templates_and_finds_them(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)  # noqa: S603 - our own command
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")

    code = "from autosr_lib.llm.templates import *; TemplateSet(LlmSettings()); print(builtin_templates_folder())"
    completed = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], cwd=tmp_path / "site", check=True, capture_output=True, text=True
    )

    assert Path(completed.stdout.strip()) == tmp_path / "site" / "autosr_lib" / "_prompts"
