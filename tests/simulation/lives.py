"""What is known of one resource, and how what it wants compares with what there is: as a person would compare."""

from dataclasses import dataclass, field

from tests.simulation.values import Json

from imagesources.resources import MARKER_PREFIX


@dataclass
class Life:
    """What is known of one resource from its creation on, by uid.

    Attributes:
        specs: its specs by generation.
        edited: when each of them was written.
        matched: the generations that the platform has matched at some time since.
        settled: the newest generation at which it said Ready.
        written: the newest generation for which the platform was written to.
        hub: the hub that its source belongs to, once one was written to.
        adopted: the source that it took over, or "".
        gone: whether it is gone.
        orphaned: whether it is gone and its source was to stay.
        forced: whether a person has taken its finalizer away, and it has none since.
        wiped: whether its status is lost.
        remembered: whether each operator that runs since remembers what it said.
        lost: sources that nothing shows any more to be its own.
        excused: sources that may be there beside another: nobody could know of them when they, or that, were made.
        hidden: looks for its marker that did not show a source that was there, since the last create.
        outdated: whether what an operator knew may have been older than what the platform had.
        given: access lists with which sources were taken over, until the first of its own.
        late_acls: those that came with requests held up on the way, or from others, until the next of its own.
        shown: sources that have content of its own.
    """

    name: str
    specs: dict[int, Json] = field(default_factory=dict)
    edited: dict[int, float] = field(default_factory=dict)
    matched: set[int] = field(default_factory=set)
    settled: int = 0
    written: int = 0
    hub: str = ""
    adopted: str = ""
    gone: bool = False
    orphaned: bool = False
    forced: bool = False
    wiped: bool = False
    remembered: bool = False
    lost: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)
    hidden: int = 0
    outdated: bool = False
    given: dict[str, Json | None] = field(default_factory=dict)
    late_acls: dict[str, Json | None] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    def spec_at(self, generation: int) -> Json:
        """Tell what was asked for at a generation; that of the deletion asks for nothing else."""
        return self.specs[max(known for known in self.specs if known <= generation)]

    def is_orphaning(self, generation: int) -> bool:
        """Tell whether the source was to outlive the resource at a generation."""
        spec = self.spec_at(generation)
        return observes(spec) or spec.get("deletionPolicy", "Orphan" if self.adopted else "Delete") == "Orphan"

    def has_matched(self, generation: int) -> bool:
        """Tell whether Ready at a generation is honest: it was matched, or an equal one was, as far as was known."""
        wanted = definition(self.specs[generation])
        like = {known for known in self.matched if definition(self.specs[known]) == wanted}
        return (
            generation in self.matched or observes(self.specs[generation])
            or bool(self.outdated and like)
        )  # fmt: skip


def definition(spec: Json) -> Json:
    """Tell what a spec says about the source itself."""
    return {key: spec.get(key) for key in ("name", "identifier", "type", "origin", "builder", "about", "acl")}


def observes(spec: Json) -> bool:
    """Tell whether a spec only looks on."""
    return bool(spec.get("managementPolicy") == "Observe")


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
