"""Readers of model replies.

A reply is untrusted. Its usable parts are used. Its faults are named, so that the request can be repeated once with the
faults. If nothing can be used, the reader raises `BadReplyError`; no default value takes the place of a reply.
"""
