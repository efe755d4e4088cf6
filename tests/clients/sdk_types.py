"""What of a JSON value does not fit a type of the SDKs, as a strict type checker would see it.

Needed beside pydantic because that reads `Iterable` members of requests lazily, thus not at all, and takes members that
no type knows.
"""

import functools
import typing

import pydantic
import typing_extensions

SIMPLE = {str: (str,), int: (int,), float: (int, float), bool: (bool,), type(None): (type(None),)}


@functools.cache
def members(shape):
    """Wire name → type and whether it must be there; and whether others may be there."""
    if issubclass(shape, pydantic.BaseModel):
        fields = shape.model_fields.items()
        known = {field.alias or name: (field.annotation, field.is_required()) for name, field in fields}
        return known, "__pydantic_extra__" in vars(shape).get("__annotations__", {})
    inherited = set()
    for base in getattr(shape, "__orig_bases__", ()):
        inherited |= base.__annotations__.keys() if typing_extensions.is_typeddict(base) else set()
    known = {}
    for name, hint in typing_extensions.get_type_hints(shape, include_extras=True).items():
        required = shape.__total__ if name not in inherited else False
        while (origin := typing.get_origin(hint)) in (typing_extensions.Required, typing_extensions.NotRequired, typing.Annotated):
            if origin is typing.Annotated:
                name = next((note.alias for note in hint.__metadata__ if getattr(note, "alias", None)), name)
            else:
                required = origin is typing_extensions.Required
            hint = typing.get_args(hint)[0]
        known[name] = (hint, required)
    return known, False


@functools.cache
def is_object(shape):
    return typing_extensions.is_typeddict(shape) or (isinstance(shape, type) and issubclass(shape, pydantic.BaseModel))


@functools.cache
def literals(shape):
    """The members that tell the kinds of a union apart, with their values."""
    known = members(shape)[0].items()
    return [(name, typing.get_args(hint), required) for name, (hint, required) in known if typing.get_origin(hint) is typing.Literal]


def is_of_kind(shape, value):
    if not is_object(shape):
        return True
    return isinstance(value, dict) and all(
        value[name] in known if name in value else not required for name, known, required in literals(shape)
    )


@functools.cache
def alternatives(shape):
    """A union's types, those of unions within it among them."""
    shape = unwrapped(shape)
    if typing.get_origin(shape) is typing.Union:
        return [inner for one in typing.get_args(shape) for inner in alternatives(one)]
    return [shape]


def unwrapped(shape):
    while typing.get_origin(shape) is typing.Annotated or isinstance(shape, typing_extensions.TypeAliasType):
        shape = shape.__value__ if isinstance(shape, typing_extensions.TypeAliasType) else typing.get_args(shape)[0]
    return shape


@functools.cache
def plan(shape):
    """What kind of type it is, and what it is made of: asked once, for looking at annotations is slow."""
    kinds = alternatives(shape)
    if len(kinds) > 1:
        # What is a choice for one object only does not tell it from others.
        return "union", kinds, sum(map(is_object, kinds)) > 1
    shape = kinds[0]
    origin, inner = typing.get_origin(shape), typing.get_args(shape)
    if shape in (object, typing.Any):
        return "any", shape, None
    if is_object(shape):
        return "object", shape, None
    if origin is typing.Literal:
        return "simple", shape, [lambda value, one=one: value == one and type(value) is type(one) for one in inner]
    if shape in SIMPLE:
        numbers = shape is not bool
        return "simple", shape, [lambda value: isinstance(value, SIMPLE[shape]) and not (numbers and isinstance(value, bool))]
    if inner and issubclass(origin, typing.Mapping):
        return "map", shape, inner[1]
    if inner and issubclass(origin, typing.Iterable):
        return "list", shape, inner[0]
    # A file's path and its like: nothing that JSON can say.
    return "simple", shape, []


def misfits(shape, value, place=""):
    """Pairs of a place in the value and what is wrong there."""
    what, shape, detail = plan(shape)
    match what:
        case "union":
            found = [misfits(kind, value, place) for kind in shape if not detail or is_of_kind(kind, value)]
            if not found:
                told = {name: value[name] for name in ("type", "role") if name in value} if isinstance(value, dict) else value
                return [(place, f"{str(told)[:100]} is none of the kinds")]
            # The kind that was meant is the one that fits at this place and fails, if at all, further down.
            return min(found, key=lambda wrong: (any(at == place for at, _ in wrong), len(wrong)))
        case "any":
            return []
        case "object":
            return misfits_of_object(shape, value, place)
        case "simple" if any(fits(value) for fits in detail):
            return []
        case "map" if isinstance(value, dict):
            return [wrong for name, one in value.items() for wrong in misfits(detail, one, f"{place}.{name}")]
        case "list" if isinstance(value, list):
            return [wrong for at, one in enumerate(value) for wrong in misfits(detail, one, f"{place}[{at}]")]
    return [(place, f"{str(value)[:100]!r} is no {getattr(shape, '__name__', shape)}")]


def misfits_of_object(shape, value, place):
    if not isinstance(value, dict):
        return [(place, f"{str(value)[:100]!r} is no {shape.__name__}")]
    known, open_ended = members(shape)
    found = [(f"{place}.{name}", f"missing in {shape.__name__}") for name, (_, required) in known.items() if required and name not in value]
    for name, one in value.items():
        if name in known:
            found += misfits(known[name][0], one, f"{place}.{name}")
        elif not open_ended:
            found.append((f"{place}.{name}", f"unknown to {shape.__name__}"))
    return found


def plain(value):
    """As JSON, without what is null: an SDK writes null for what nobody told."""
    if isinstance(value, pydantic.BaseModel):
        value = value.to_dict(mode="json", warnings=False)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if inner is not None and not name.startswith("parsed")}
    return [plain(inner) for inner in value] if isinstance(value, list) else value
