"""The script that repeats the search of a run and checks that it gets the same rubrics."""

import json
import shlex
from collections.abc import Mapping
from string import Template
from typing import Any

from autosr_lib.results.run_results import Manifest
from autosr_lib.settings import BackendName

_SCRIPT = Template("""\
#!/usr/bin/env bash
# Repeats the search of run $run_id ($at), and checks that the rubrics are the same, byte for byte.
#
#   git clone THIS_PROJECT clone && cd clone && git checkout $commit && make setup
#   bash $script [DATASET] [OUTPUT]
#
# DATASET is the file that was searched, by default at its original path. AUTOSR is the command to run, by default that of
# the clone's .venv.
$note
set -euo pipefail

dataset=$${1:-$dataset}
output=$${2:-reproduced/$export}
autosr=$${AUTOSR:-autosr}
if [ -z "$${AUTOSR:-}" ] && [ -x .venv/bin/autosr ]; then autosr=.venv/bin/autosr; fi

is_unchanged() {
    [ -f "$$1" ] || { echo "reproduce: $$1 does not exist" >&2; exit 2; }
    sha256=$$({ sha256sum 2>/dev/null || shasum -a 256; } < "$$1" | cut -d ' ' -f 1)
    [ "$$sha256" = "$$2" ] || { echo "reproduce: the sha256 of $$1 is $$sha256; must be $$2" >&2; exit 2; }
}
is_unchanged "$$dataset" $dataset_sha256$more_checks
commit=$$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ "$$commit" = $commit ] || echo "reproduce: note: the run used commit $commit, this is $$commit" >&2$dirty_note

settings=$$(mktemp)
trap 'rm -f "$$settings"' EXIT
cat > "$$settings" <<'SETTINGS'
$settings
SETTINGS

# Exit code 3: some prompts failed, which may have happened in the original run too.
$$autosr search "$$dataset" --name $search --settings "$$settings" --output "$$output" --yes$options || [ $$? -eq 3 ]

if grep -q '"rubrics_sha256": "$rubrics_sha256"' "$$output"; then
    echo "reproduce: $$output has the rubrics of run $run_id, byte for byte"
else
    echo "reproduce: $$output has other rubrics than run $run_id" >&2
    exit 1
fi
""")
_MODELS_NOTE = """\
#
# The search calls models: $api_key_env must contain a key, and LLM_BASE_URL can name another endpoint. A model seldom gives
# the same reply twice; with the cached replies of the original run (AUTOSR_HOME) no model is called."""


def reproduce_script(manifest: Manifest, stem: str) -> str:
    """Return the script that repeats a run.

    Args:
        manifest: manifest of the run.
        stem: file name of its export without the suffix.
    """
    run_id = manifest["run_id"]
    commit, _, dirty = (manifest["git"] or "unknown").partition("-")
    settings = manifest["settings"]
    uses_models = BackendName.LLM in (manifest["backend"]["name"], manifest["backend"]["judge"])
    presets = manifest["preset_rubrics_sha256"]
    note = Template(_MODELS_NOTE).substitute(api_key_env=settings["backend"]["llm"]["api_key_env"])
    preset_file = shlex.quote(settings["initializer"]["preset_rubrics"] or "")
    return _SCRIPT.substitute(
        run_id=run_id,
        at=manifest["at"],
        commit=commit,
        dirty_note='\necho "reproduce: note: the run used changes that were not committed" >&2' if dirty else "",
        script=f"{stem}_{run_id}.reproduce.sh",
        export=shlex.quote(f"{stem}_{run_id}.json"),
        note=note if uses_models else "# No model is called.",
        dataset=shlex.quote(manifest["dataset"]),
        dataset_sha256=manifest["dataset_sha256"],
        more_checks=f"\nis_unchanged {preset_file} {presets}" if presets else "",
        search=f"replay_{run_id[:8]}",
        rubrics_sha256=manifest["rubrics_sha256"],
        settings=json.dumps(replayed_settings(manifest), indent=1),
        options=' ${LLM_BASE_URL:+--base-url "$LLM_BASE_URL"}' if uses_models else "",
    )


def replayed_settings(manifest: Manifest) -> dict[str, Any]:
    """Return all settings of a run, including those with their default values, for `autosr search --settings`."""
    replayed: dict[str, Any] = {"structure": manifest["structure"]}
    for group, backend_field in (("settings", "name"), ("dataset_settings", "judge")):
        settings: Mapping[str, Any] = manifest[group]
        # `auto` would choose by the environment. Settings of models are kept only if models are used.
        backend = {**settings["backend"], "backend": manifest["backend"][backend_field]}
        if backend["backend"] != BackendName.LLM:
            del backend["llm"]
        replayed[group] = {**settings, "backend": backend}
    return replayed
