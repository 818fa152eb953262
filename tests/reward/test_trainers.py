"""The reward functions, called as each trainer calls them, and by the real trainers where these are installed."""

import asyncio
import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autosr_lib.errors import RoleError, SettingsError
from autosr_lib.reward import Rubrics, trl, verifiers, verl
from tests.assets.model_home import PROJECT
from tests.llm.server import Fault, ModelServer, Says, user_text
from tests.reward.searched_home import SearchedHome, uncached_rubrics

UNGRADABLE = "A response that the verifier cannot grade."


def unreadable_for_ungradable(_: int, body: dict[str, Any]) -> Fault | None:
    return Says("no idea") if UNGRADABLE in user_text(body) else None


@pytest.fixture
def rubrics(model_home: SearchedHome) -> Iterator[Rubrics]:
    """Yield rubrics whose verifier gives no readable reply for `UNGRADABLE`."""
    with ModelServer(faults=unreadable_for_ungradable) as server:
        yield uncached_rubrics(model_home.export_path, server)


def score_of(rubrics: Rubrics, prompt_id: str, text: str) -> float | None:
    return asyncio.run(rubrics.score(prompt_id, text)).score


# --- TRL ---------------------------------------------------------------------------------------------------------------


def test_trl_gets_one_reward_per_completion_and_none_for_an_unscored_completion(rubrics: Rubrics) -> None:
    first, second = rubrics.prompt_ids[:2]
    reward, logged = trl.reward_function(rubrics, name="rubric"), dict[str, float]()

    rewards = reward(
        prompts=["…"] * 4,
        completions=["One.", UNGRADABLE, [{"role": "assistant", "content": "One."}], [{"content": [{"text": "On"}, {"text": "e."}]}]],
        completion_ids=[[1]] * 4,
        prompt_id=[first, first, first, second],
        trainer_state=None,
        log_metric=logged.__setitem__,
    )  # fmt: skip

    assert rewards[0] == rewards[2] == pytest.approx(score_of(rubrics.with_new_client(), first, "One."))
    assert rewards[1] is None
    assert rewards[3] == pytest.approx(score_of(rubrics.with_new_client(), second, "One."))
    assert logged == pytest.approx({"rubric/unscored": 0.25, "rubric/ungraded": 0.25})
    assert reward.__name__ == "rubric"


def test_the_trl_reward_names_the_missing_column_prompt_id(offline_home: SearchedHome) -> None:
    with pytest.raises(SettingsError, match="no column prompt_id"):
        trl.reward_function(offline_home.export_path)(prompts=["a"], completions=["b"])


def tiny_model_and_tokenizer() -> tuple[Any, Any]:
    """Return a randomly initialised model and a tokenizer of 64 words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(61))]
    pad, eos, unknown = words[:3]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=pad, eos_token=eos, unk_token=unknown, padding_side="left"
    )
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, pad_token_id=0
    )
    return LlamaForCausalLM(config), tokenizer


@pytest.mark.slow
def test_the_real_grpo_trainer_trains_on_the_rewards_and_leaves_out_unscored_completions(
    rubrics: Rubrics, tmp_path: Path
) -> None:
    pytest.importorskip("trl")
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    recorded: list[float | None] = []
    score_completions = trl.reward_function(rubrics, name="rubric")

    def rubric(completions: list[str], **columns: Any) -> list[float | None]:
        rewards = score_completions(completions=[UNGRADABLE, *completions[1:]], **columns)
        recorded.extend(rewards)
        return rewards

    model, tokenizer = tiny_model_and_tokenizer()
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=rubric,
        train_dataset=Dataset.from_list([{"prompt": "w1 w2", "prompt_id": name} for name in rubrics.prompt_ids[:2]]),
        args=GRPOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=4, num_generations=4, max_completion_length=4,
            max_steps=2, report_to="none", use_cpu=True, logging_steps=1, save_strategy="no",
        ),
    )  # fmt: skip
    trainer.train()

    assert recorded.count(None) == 2
    assert all(0 <= reward <= 1 for reward in recorded if reward is not None)
    log = [row for row in trainer.state.log_history if "reward" in row]
    first_group = [reward for reward in recorded[:4] if reward is not None]
    assert log[0]["reward"] == pytest.approx(sum(first_group) / len(first_group), abs=1e-5)
    assert log[0]["rubric/unscored"] == pytest.approx(0.25)


# --- verl --------------------------------------------------------------------------------------------------------------


def test_verl_gets_the_score_and_the_ungraded_share(model_home: SearchedHome) -> None:
    export_path, prompt_id = str(model_home.export_path), model_home.prompt_ids[0]
    expected = score_of(Rubrics.load(export_path), prompt_id, "One.")
    call = {"data_source": "mine", "solution_str": "One.", "rubrics": export_path, "reward_router_address": None}

    by_extra_info = verl.compute_score(ground_truth="", extra_info={"prompt_id": prompt_id, "index": 3}, **call)
    by_ground_truth = asyncio.run(verl.compute_score_async(ground_truth=prompt_id, extra_info=None, **call))

    assert by_extra_info == by_ground_truth == {"score": expected, "ungraded": 0, "unscored": 0.0}
    assert inspect.iscoroutinefunction(verl.compute_score_async)


def test_verl_gets_an_error_for_an_unscored_response_unless_a_substitute_is_set(
    rubrics: Rubrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verl, "_load", lambda _: rubrics)
    call = {"data_source": "mine", "solution_str": UNGRADABLE, "ground_truth": rubrics.prompt_ids[0], "rubrics": "x"}

    with pytest.raises(
        RoleError,
        match="is unscored: 100% of the rubric's weight has no grade; to use a number for such responses, set reward_kwargs",
    ):
        asyncio.run(verl.compute_score_async(**call))
    reward = asyncio.run(verl.compute_score_async(**call, unscored=0.25))

    assert reward == {"score": 0.25, "ungraded": pytest.approx(1), "unscored": 1.0}


def test_verl_can_load_the_module_by_its_path(model_home: SearchedHome) -> None:
    path = PROJECT / "autosr_lib" / "reward" / "verl.py"
    spec = importlib.util.spec_from_file_location("custom_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    reward = module.compute_score("mine", "One.", model_home.prompt_ids[0], {}, rubrics=str(model_home.export_path))

    assert 0 <= reward["score"] <= 1


# --- verifiers ---------------------------------------------------------------------------------------------------------


class Trace(SimpleNamespace):
    """The part of a trace of verifiers that a reward uses."""

    def record_metric(self, name: str, value: float) -> None:
        self.metrics[name] = value


def test_verifiers_gets_the_score_of_the_last_reply(model_home: SearchedHome, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt_id, trace = model_home.prompt_ids[0], Trace(last_reply="One.", metrics={})
    monkeypatch.setenv("AUTOSR_RUBRICS", str(model_home.export_path))

    reward = asyncio.run(verifiers.reward(SimpleNamespace(id=prompt_id), trace))

    assert reward == score_of(Rubrics.load(model_home.export_path), prompt_id, "One.")
    assert trace.metrics == {"rubric/ungraded": 0}


def test_verifiers_gets_an_error_instead_of_a_number_for_an_unscored_reply(rubrics: Rubrics) -> None:
    task = SimpleNamespace(prompt_id=rubrics.prompt_ids[0])

    with pytest.raises(RoleError, match="is unscored"):
        asyncio.run(verifiers.score(task, Trace(last_reply=UNGRADABLE, metrics={}), rubrics=rubrics))


@pytest.mark.slow
def test_the_real_verifiers_rewards_a_reply_and_records_an_error_for_an_unscored_reply(
    rubrics: Rubrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    vf = pytest.importorskip("verifiers.v1")
    monkeypatch.setenv("AUTOSR_RUBRICS", "not read, because _load is replaced")
    monkeypatch.setattr(verifiers, "_load", lambda _: rubrics)
    prompt_id = rubrics.prompt_ids[0]
    config = vf.TaskConfig(rewards={"rubric": {"fn": "autosr_lib.reward.verifiers:reward", "weight": 2.0}})
    task = vf.Task(vf.TaskData(id=prompt_id, prompt="…"), config)

    def trace_of(reply: str) -> Any:
        trace_task = vf.TraceTask(type=type(task).__name__, data=task.data)
        return vf.Trace(task=trace_task, agent=vf.AgentInfo(config=vf.AgentConfig()), root_reply=reply)

    scored, unscored = trace_of("One."), trace_of(UNGRADABLE)
    asyncio.run(task.score(scored))
    with pytest.raises(vf.TaskError, match="is unscored"):
        asyncio.run(task.score(unscored))

    assert scored.rewards["rubric"].score == pytest.approx(score_of(rubrics.with_new_client(), prompt_id, "One."))
    assert scored.metrics["rubric/ungraded"] == 0
    assert unscored.rewards["rubric"] is None


# --- all ---------------------------------------------------------------------------------------------------------------


def test_the_reward_modules_can_be_imported_without_the_trainers() -> None:
    blocked = "import sys; sys.modules.update({'trl': None, 'verl': None, 'verifiers': None, 'torch': None}); "
    imports = "import autosr_lib.reward.trl, autosr_lib.reward.verl, autosr_lib.reward.verifiers"

    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", blocked + imports], capture_output=True, text=True, check=False, cwd=PROJECT, timeout=60
    )

    assert done.returncode == 0, done.stderr
