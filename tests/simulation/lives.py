"""What is known of one resource, and how what it wants compares with what there is: as a person would compare."""

from dataclasses import dataclass, field

from tests.simulation.values import Json

from imagesources.resources import MARKER_PREFIX


@dataclass
class Life:
    """What is known of one resource from its creation on, by uid.

    Attributes:
        specs: its specs by generation.
        matched: the generations that the platform has matched at some time.
        settled: the newest generation at which it said Ready.
        written: the newest generation for which the platform was written to.
        adopted: the source that it took over, or "".
        gone: whether it is gone.
        orphaned: whether it is gone and its source was to stay.
        unresolved: creates that may be applied without their sender knowing, or more often than it knows.
        late_acls: access lists that came with requests held up on the way.
        late: whether any such request came.
    """

    name: str
    specs: dict[int, Json] = field(default_factory=dict)
    matched: set[int] = field(default_factory=set)
    settled: int = 0
    written: int = 0
    adopted: str = ""
    gone: bool = False
    orphaned: bool = False
    unresolved: int = 0
    late_acls: list[Json | None] = field(default_factory=list)
    late: bool = False

    def asked(self, generation: int, spec: Json) -> None:
        """Take in a new spec; one with the definition of another has been matched if that has been."""
        self.specs[generation] = spec
        if any(definition(self.specs[known]) == definition(spec) for known in self.matched):
            self.matched.add(generation)


def definition(spec: Json) -> Json:
    """Tell what a spec says about the source itself."""
    return {key: spec.get(key) for key in ("name", "identifier", "type", "origin", "builder", "about", "acl")}


def acl_is(spec: Json | None, seen: Json | None) -> bool:
    """Tell whether an access list is the one that a spec names; absent is none."""
    if spec is None or spec.get("unrestricted"):
        return seen is None
    return seen == {"roles": spec["roles"]}


def is_within(seen: Json | None, spec: Json | None) -> bool:
    """Tell whether an access list grants nothing that a spec does not."""
    if spec is None or spec.get("unrestricted"):
        return True
    if seen is None:
        return False
    return all(
        not may or spec["roles"].get(role, {}).get(what) for role, entry in seen["roles"].items()
        for what, may in entry.items()
    )  # fmt: skip


def matches(spec: Json, source: Json) -> bool:
    """Tell whether a source is as a spec says, in each field that it names."""
    return (
        source["origin"] == spec["origin"]
        and spec.get("name", source["name"]) == source["name"]
        and spec.get("identifier", source["identifier"]) == source["identifier"]
        and not source["identifier"].startswith(MARKER_PREFIX)
        and ("about" not in spec or source["about"] == spec["about"])
        and ("acl" not in spec or acl_is(spec["acl"], source["acl"]))
    )
