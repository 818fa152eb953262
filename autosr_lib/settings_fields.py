"""Types of the fields of settings models, as the command line, the launchpad and error messages need them."""

import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "of length at least"}


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (dotted name, field) of every setting that is not a group of settings."""
    for name, field in model.model_fields.items():
        group = group_model(field.annotation)
        if group is None:
            yield f"{prefix}{name}", field
        else:
            yield from leaves(group, f"{prefix}{name}.")


def group_model(annotation: Any) -> type[BaseModel] | None:
    """Return the settings model that a field holds, or None for a plain setting.

    >>> group_model(BaseModel | None) is BaseModel, group_model(int | None)
    (True, None)
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = [model for part in _parts(annotation) if (model := group_model(part)) is not None]
    return models[0] if len(models) == 1 else None


def is_optional(annotation: Any) -> bool:
    """Return whether the field accepts None.

    >>> is_optional(int | None), is_optional(int)
    (True, False)
    """
    return annotation is type(None) or any(map(is_optional, _parts(annotation)))


def without_none(annotation: Any) -> Any:
    """Return the type without `Annotated` and `| None`; a union of several other types is returned as it is.

    >>> without_none(Annotated[int, "a count"] | None)
    <class 'int'>
    """
    if get_origin(annotation) is Annotated:
        return without_none(get_args(annotation)[0])
    if _is_union(annotation):
        others = [part for part in get_args(annotation) if part is not type(None)]
        return without_none(others[0]) if len(others) == 1 else annotation
    return annotation


def choices_of(annotation: Any) -> tuple[str, ...] | None:
    """Return the values of an enum or of a `Literal` of texts; None for any other type.

    >>> choices_of(Literal["fast", "slow"]), choices_of(int)
    (('fast', 'slow'), None)
    """
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    if get_origin(annotation) is Literal and all(isinstance(choice, str) for choice in get_args(annotation)):
        return get_args(annotation)
    return None


def bounds_of(field: FieldInfo) -> str:
    """Return the bounds of a setting as text, empty without bounds.

    >>> from pydantic import Field
    >>> bounds_of(FieldInfo.from_annotated_attribute(int, Field(default=3, ge=1, le=9)))
    'at least 1, at most 9'
    """
    return ", ".join(
        f"{words} {bound:g}"
        for constraint in field.metadata
        for name, words in _BOUNDS.items()
        if isinstance(bound := getattr(constraint, name, None), int | float)
    )


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return what `Annotated` or a union is made of; nothing for other types."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[:1]
    return get_args(annotation) if _is_union(annotation) else ()
