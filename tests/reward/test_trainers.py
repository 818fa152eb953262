"""Reward functions in the shapes of trainers: called as each of them calls, and by the real ones where they are installed."""

import asyncio
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from autosr_lib.errors import RoleError, SettingsError
from autosr_lib.reward import Rubrics, trl, verifiers, verl
from tests.llm.server import Fault, ModelServer, Says, user_text
from tests.reward.searched import PROJECT, Searched

SILENT = "A response that no verifier can grade."


def silent_on_one(number: int, body: dict[str, Any]) -> Fault | None:
    return Says("no idea") if SILENT in user_text(body) else None


@pytest.fixture
def unreadable(by_model: Searched) -> Iterator[Rubrics]:
    """Rubrics whose verifier cannot be read on one response."""
    with ModelServer(faults=silent_on_one) as server:
        yield Rubrics.load(by_model.path, settings={"base_url": server.base_url, "llm_cache": False})


def score_of(rubrics: Rubrics, prompt_id: str, text: str) -> float | None:
    return asyncio.run(rubrics.score(prompt_id, text)).score


# --- TRL ---------------------------------------------------------------------------------------------------------------


def test_trl_gets_a_reward_a_completion_and_none_for_what_is_unscored(unreadable: Rubrics) -> None:
    first, second = unreadable.prompt_ids[:2]
    reward, logged = trl.reward_function(unreadable, name="rubric"), dict[str, float]()

    given = reward(
        prompts=["…"] * 4,
        completions=["One.", SILENT, [{"role": "assistant", "content": "One."}], [{"content": [{"text": "On"}, {"text": "e."}]}]],
        completion_ids=[[1]] * 4,
        prompt_id=[first, first, first, second],
        trainer_state=None,
        log_metric=logged.__setitem__,
    )  # fmt: skip

    assert given[0] == given[2] == pytest.approx(score_of(unreadable.with_new_client(), first, "One."))
    assert given[1] is None
    assert given[3] == pytest.approx(score_of(unreadable.with_new_client(), second, "One."))
    assert logged == pytest.approx({"rubric/unscored": 0.25, "rubric/ungraded": 0.25})
    assert reward.__name__ == "rubric"


def test_trl_without_the_column_of_prompt_ids_is_told_so(offline: Searched) -> None:
    with pytest.raises(SettingsError, match="no column prompt_id"):
        trl.reward_function(offline.path)(prompts=["a"], completions=["b"])


@pytest.mark.slow
def test_the_real_grpo_trainer_trains_on_rubrics_and_leaves_out_what_is_unscored(
    unreadable: Rubrics, tmp_path: Any
) -> None:
    pytest.importorskip("trl")
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer

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
    given: list[float | None] = []
    inner = trl.reward_function(unreadable, name="rubric")

    def rubric(completions: list[str], **more: Any) -> list[float | None]:
        rewards = inner(completions=[SILENT, *completions[1:]], **more)
        given.extend(rewards)
        return rewards

    trainer = GRPOTrainer(
        model=LlamaForCausalLM(config),
        processing_class=tokenizer,
        reward_funcs=rubric,
        train_dataset=Dataset.from_list([{"prompt": "w1 w2", "prompt_id": p} for p in unreadable.prompt_ids[:2]]),
        args=GRPOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=4, num_generations=4, max_completion_length=4,
            max_steps=2, report_to="none", use_cpu=True, logging_steps=1, save_strategy="no",
        ),
    )  # fmt: skip
    trainer.train()

    assert given.count(None) == 2
    assert all(0 <= one <= 1 for one in given if one is not None)
    log = [row for row in trainer.state.log_history if "reward" in row]
    known = [one for one in given[:4] if one is not None]
    assert log[0]["reward"] == pytest.approx(sum(known) / len(known), abs=1e-5)
    assert log[0]["rubric/unscored"] == pytest.approx(0.25)


# --- verl --------------------------------------------------------------------------------------------------------------


def test_verl_gets_a_score_with_what_was_ungraded(by_model: Searched) -> None:
    rubrics = Rubrics.load(by_model.path)
    prompt_id = rubrics.prompt_ids[0]
    wanted = score_of(rubrics, prompt_id, "One.")
    call = {"data_source": "mine", "solution_str": "One.", "rubrics": str(by_model.path), "reward_router_address": None}

    by_info = verl.compute_score(ground_truth="", extra_info={"prompt_id": prompt_id, "index": 3}, **call)
    by_truth = asyncio.run(verl.compute_score_async(ground_truth=prompt_id, extra_info=None, **call))

    assert by_info == by_truth == {"score": wanted, "ungraded": 0, "unscored": 0.0}
    assert inspect.iscoroutinefunction(verl.compute_score_async)


def test_verl_raises_for_what_is_unscored_unless_it_is_told_what_is_to_stand_for_it(
    unreadable: Rubrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verl, "_load", lambda _: unreadable)
    call = {"data_source": "mine", "solution_str": SILENT, "ground_truth": unreadable.prompt_ids[0], "rubrics": "x"}

    with pytest.raises(
        RoleError,
        match="is unscored: 100% of the rubric's weight has no grade; to use a number for such responses, set reward_kwargs",
    ):
        asyncio.run(verl.compute_score_async(**call))
    told = asyncio.run(verl.compute_score_async(**call, unscored=0.25))

    assert told == {"score": 0.25, "ungraded": pytest.approx(1), "unscored": 1.0}


def test_verl_loads_the_file_by_its_path(by_model: Searched) -> None:
    path = PROJECT / "autosr_lib" / "reward" / "verl.py"
    spec = importlib.util.spec_from_file_location("custom_module", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prompt_id = Rubrics.load(by_model.path).prompt_ids[0]

    told = module.compute_score("mine", "One.", prompt_id, {}, rubrics=str(by_model.path))

    assert 0 <= told["score"] <= 1


# --- verifiers ---------------------------------------------------------------------------------------------------------


class Trace(SimpleNamespace):
    """As much of a trace of verifiers as a reward sees."""

    def record_metric(self, name: str, value: float) -> None:
        self.metrics[name] = value


def test_verifiers_gets_the_score_of_the_last_reply(by_model: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    rubrics = Rubrics.load(by_model.path)
    prompt_id, trace = rubrics.prompt_ids[0], Trace(last_reply="One.", metrics={})
    monkeypatch.setenv("AUTOSR_RUBRICS", str(by_model.path))

    given = asyncio.run(verifiers.reward(SimpleNamespace(id=prompt_id), trace))

    assert given == score_of(rubrics, prompt_id, "One.")
    assert trace.metrics == {"rubric/ungraded": 0}


def test_verifiers_gets_an_error_and_no_number_for_what_is_unscored(unreadable: Rubrics) -> None:
    task = SimpleNamespace(prompt_id=unreadable.prompt_ids[0])

    with pytest.raises(RoleError, match="is unscored"):
        asyncio.run(verifiers.score(task, Trace(last_reply=SILENT, metrics={}), rubrics=unreadable))


@pytest.mark.slow
def test_the_real_verifiers_rewards_a_reply_and_records_an_error_for_one_that_is_unscored(
    unreadable: Rubrics, by_model: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    vf = pytest.importorskip("verifiers.v1")
    monkeypatch.setenv("AUTOSR_RUBRICS", "the one of the test")
    monkeypatch.setattr(verifiers, "_load", lambda _: unreadable)
    prompt_id = unreadable.prompt_ids[0]
    plugged = vf.TaskConfig(rewards={"rubric": {"fn": "autosr_lib.reward.verifiers:reward", "weight": 2.0}})
    task = vf.Task(vf.TaskData(id=prompt_id, prompt="…"), plugged)

    def replied(text: str) -> Any:
        told = vf.TraceTask(type=type(task).__name__, data=task.data)
        return vf.Trace(task=told, agent=vf.AgentInfo(config=vf.AgentConfig()), root_reply=text)

    good, bad = replied("One."), replied(SILENT)
    asyncio.run(task.score(good))
    with pytest.raises(vf.TaskError, match="is unscored"):
        asyncio.run(task.score(bad))

    assert good.rewards["rubric"].score == pytest.approx(score_of(unreadable.with_new_client(), prompt_id, "One."))
    assert good.metrics["rubric/ungraded"] == 0
    assert bad.rewards["rubric"] is None


# --- all ---------------------------------------------------------------------------------------------------------------


def test_the_shapes_are_importable_without_their_trainers() -> None:
    blocked = "import sys; sys.modules.update({'trl': None, 'verl': None, 'verifiers': None, 'torch': None}); "
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", blocked + "import autosr_lib.reward.trl, autosr_lib.reward.verl, autosr_lib.reward.verifiers"],
        capture_output=True, text=True, check=False, cwd=PROJECT, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
