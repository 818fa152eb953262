"""Wording of messages: counts with correct plurals."""


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun in the singular or plural.

    Args:
        count: the number of items.
        noun: the singular.
        nouns: the plural, if it is irregular.

    >>> plural(1, "prompt"), plural(2_000, "prompt"), plural(0, "reply", "replies")
    ('1 prompt', '2,000 prompts', '0 replies')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
