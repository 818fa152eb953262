"""Train on rubrics with TRL (`pip install 'autosr[trl]'`): python train_grpo.py best.json prompts.json."""

import json
import sys
from pathlib import Path

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from autosr_lib.reward.trl import reward_function

rubrics, prompts = sys.argv[1:3]
rows = [{"prompt": p["prompt"], "prompt_id": p["prompt_id"]} for p in json.loads(Path(prompts).read_text())["prompts"]]
trainer = GRPOTrainer(
    model="Qwen/Qwen3-0.6B",
    reward_funcs=reward_function(rubrics),
    train_dataset=Dataset.from_list(rows),
    args=GRPOConfig(output_dir="trained", num_generations=8, report_to="none"),
)
trainer.train()
