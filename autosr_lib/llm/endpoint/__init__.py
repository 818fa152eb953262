"""Requests to an OpenAI-compatible endpoint, from a role's question to its parsed reply.

`ModelClient` (cache, preflight, repetition after a bad reply) → `RequestSender` (retries, limits, budget) → `Transport`
(one HTTP request). A workaround for what one endpoint does differently belongs in `capabilities.py` (a request that it
rejects), `completion.py` (a reply in another form) or `failures.py` (an error in another form).
"""
