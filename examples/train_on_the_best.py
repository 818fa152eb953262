"""One step of training on the best: keeps, of a policy's completions, the one with the highest reward for each prompt.

Run `python examples/train_on_the_best.py COMPLETIONS URL`, with `autosr serve` at URL and its token in the environment.
"""

import json
import os
import sys
from pathlib import Path

import httpx

completions, url = sys.argv[1:3]
rows = [json.loads(line) for line in Path(completions).read_text(encoding="utf-8").splitlines()]
headers = {"Authorization": f"Bearer {os.environ['AUTOSR_SERVE_TOKEN']}"}
reply = httpx.post(f"{url}/batch_score", json={"responses": rows}, headers=headers, timeout=600).raise_for_status()
best: dict[str, tuple[float, str]] = {}
for row, scored in zip(rows, reply.json()["scored"], strict=True):
    if scored["score"] is not None:  # unscored is not zero: nobody could grade it
        best[row["prompt_id"]] = max(best.get(row["prompt_id"], (0.0, "")), (scored["score"], row["response"]))
for prompt_id, (reward, response) in best.items():  # what a fine-tuning run trains on next
    print(json.dumps({"prompt_id": prompt_id, "reward": reward, "completion": response}, ensure_ascii=False))
