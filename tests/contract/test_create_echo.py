"""What the engine makes of an answer to a create that cannot be true, over real HTTP."""

from tests.support import documents
from tests.support.builders import MARKER, Reads, hub_connection, image_source, source, source_id, wanted
from tests.support.hostile import always, answer
from tests.support.hostile_client import platform

from imagesources.reconcile.execute import Situation, execute
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.model import Create, Done
from imagesources.resources.conditions import Reason
from imagesources.settings import Settings


async def created(memory: Memory, **changes: object) -> Done:
    """Sends a create to a hub that has one source of somebody else's, and is answered with a document."""
    said = always(answer(201, {"data": documents.source(**changes)}))
    hub = hub_connection()
    hub.inventory.learn(source(id=source_id(7), identifier="theirs"), 0.0)
    async with platform(said) as (hub.client, _):
        situation = Situation(image_source(), wanted(), hub, Reads(), memory, Settings())
        return await execute(Create({"name": "Web"}), situation)


async def test_answer_names_another_source() -> None:
    """The id of a source that was there before is not taken for the new one's, whatever identifier comes with it."""
    memory = Memory(attempted=0.0, clear=True)
    done = await created(memory, id=source_id(7), identifier=MARKER)
    assert done.source is None and done.failure
    assert (done.failure.problem.reason, done.failure.unknown) == (Reason.OUTCOME_UNKNOWN, True)
    assert (memory.unsaved_id, memory.clear) == (None, False)


async def test_answer_names_a_new_source() -> None:
    """The id of a source that nobody has seen is the new one's."""
    memory = Memory(attempted=0.0, clear=True)
    done = await created(memory, id=source_id(8), identifier=MARKER)
    assert done.source and done.source.id == memory.unsaved_id == source_id(8)


async def test_marker_is_not_kept() -> None:
    """Another identifier than the marker stops all further creates, as they could not be told apart."""
    memory = Memory(attempted=0.0, clear=True)
    done = await created(memory, id=source_id(8), identifier="web")
    assert done.failure and done.failure.problem.permanent
    assert (done.unconfirmed, memory.unsaved_id) == (source_id(8), None)
