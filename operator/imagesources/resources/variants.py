"""Objects with variants: a ``type`` that decides which fields the object beside it has.

A schema's ``oneOf`` would answer a typo with "must validate one and only one schema", which helps nobody. So the CRD
holds the fields of all variants in one object, and a rule for each field says which types take it.
"""

from dataclasses import dataclass

from imagesources.resources.base import Rule


@dataclass(frozen=True)
class Variants:
    """Which fields each type takes and needs.

    Attributes:
        owner: how messages call the object that has ``type``, such as ``origin``.
        holder: the object beside ``type`` that has the fields, such as ``details``.
        fields: type to the fields that it takes.
        needs: type to groups of fields, of each of which it needs one.
    """

    owner: str
    holder: str
    fields: dict[str, tuple[str, ...]]
    needs: dict[str, tuple[tuple[str, ...], ...]]

    def rules(self) -> tuple[Rule, ...]:
        """Write a rule for each field that not all types take, and one for each need."""
        names = dict.fromkeys(name for fields in self.fields.values() for name in fields)
        partial = [name for name in names if any(name not in fields for fields in self.fields.values())]
        needed = [(kind, group) for kind, groups in self.needs.items() for group in groups]
        return (*map(self._belongs, partial), *(self._needs(kind, group) for kind, group in needed))

    def _belongs(self, field: str) -> Rule:
        types = [kind for kind, fields in self.fields.items() if field in fields]
        return Rule(
            f"!has(self.{self.holder}) || !has(self.{self.holder}.{field}) || self.type in {types}",
            f"{self.owner}.{self.holder}.{field} is only for {self.owner}.type {' or '.join(types)}: "
            "remove it or change the type",
            f"{self.holder}.{field}",
        )

    def _needs(self, kind: str, group: tuple[str, ...]) -> Rule:
        present = " || ".join(f"has(self.{self.holder}.{field})" for field in group)
        wanted = " or ".join(f"{self.owner}.{self.holder}.{field}" for field in group)
        return Rule(
            f"self.type != '{kind}' || (has(self.{self.holder}) && ({present}))",
            f"{self.owner}.type {kind} needs {wanted}",
            f"{self.holder}.{group[0]}",
            reason="FieldValueRequired",
        )
