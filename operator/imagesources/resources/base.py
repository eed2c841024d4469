"""What all resource models share: camelCase in YAML, frozen in Python, rules in the CRD."""

from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

VALIDATIONS: Final = "x-kubernetes-validations"


class Rule(dict[str, str]):
    """A CEL rule of the CRD (``x-kubernetes-validations``): expression, message for people, field at fault."""

    def __init__(self, rule: str, message: str, field: str = "", *, reason: str = "FieldValueInvalid") -> None:
        super().__init__(rule=rule, message=message, reason=reason)
        if field:
            self["fieldPath"] = f".{field}"


class Model(BaseModel):
    """A part of a resource. Reading ignores what it does not know: the apiserver has already validated."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    rules: ClassVar[tuple[Rule, ...]] = ()
    atomic: ClassVar[bool] = False
    """True: server-side apply gives the whole object to one owner, so that two never mix halves of it."""

    def to_json(self) -> dict[str, Any]:
        """Write as the apiserver stores it: camelCase, absent instead of null, times in RFC 3339."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class UnreadableError(ValueError):
    """An object is of no shape that its CRD admits today; says which object, and which fields to correct."""


class Resource(Model):
    """A kind of ours: what its CRD says beside the schema."""

    plural: ClassVar[str]
    namespaced: ClassVar[bool]
    short_names: ClassVar[tuple[str, ...]]
    selectable: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[tuple[str, str, int], ...]]
    """Title, JSON path, priority (1: only in wide output)."""

    @classmethod
    def read(cls, body: dict[str, Any]) -> Self:
        """Read an object as the apiserver gave it.

        Raises:
            UnreadableError: it was stored under another schema.
        """
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            fields = ", ".join(".".join(map(str, each["loc"])) for each in wrong)
            name = "/".join(filter(None, (body["metadata"].get("namespace"), body["metadata"]["name"])))
            raise UnreadableError(f"{cls.__name__} {name} cannot be read; correct {fields}") from None


def matching(pattern: str, message: str, *, also: str = "") -> Any:  # noqa: ANN401 - as pydantic.Field itself
    """Check a string by a rule with a message for people, where a schema's ``pattern`` would show the expression.

    Args:
        pattern: an RE2 expression without quotes.
        message: what the field is to be, with an example.
        also: CEL that must hold too, evaluated only where the pattern matches.
    """
    rule = f"self.matches(r'{pattern}')" + (f" && {also}" if also else "")
    return Field(json_schema_extra={VALIDATIONS: [{**Rule(rule, message)}]})


def exactly_one(*fields: str) -> str:
    """Write the CEL expression that holds when just one of these optional fields is set."""
    return " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields) + " == 1"


def not_both(owner: str, field: str, other: str) -> Rule:
    """Write the rule that two optional fields of an object exclude each other."""
    return Rule(
        f"!has(self.{field}) || !has(self.{other})",
        f"{owner}.{field} and {owner}.{other} exclude each other: remove one of them",
        other,
    )
