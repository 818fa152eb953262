"""The `llm` backend: models on an OpenAI-compatible endpoint fill the roles.

    client = ModelClient(settings)               # autosr_lib.llm.endpoint.client
    roles = llm_roles(client, settings, grading) # autosr_lib.llm.roles

    async def search() -> None:
        async with client:
            ...  # use the roles

    asyncio.run(search())
    asyncio.run(search())  # the same client in another event loop

| module | content |
|---|---|
| `settings` | `LlmSettings`, and `Role`, the tasks of a model |
| `roles` | initializer, proposer, verifier, judge and responder |
| `templates`, `fences`, `extraction`, `schemas` | what a request contains |
| `endpoint` | sending of requests: client, retries, limits, budget, workarounds |
| `replies` | reading of what models reply |
| `cache` | replies on disk or in Postgres |
| `call_records` | one row per call |
| `estimate` | expected usage and cost |
"""
