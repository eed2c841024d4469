"""The hub's notifications: a WebSocket that says what happens, opened with a token that lives for a minute.

A notification is a hint to look at a resource: it says nothing of what happened before, and nothing is sent again.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from imagesources.platform.calls import Calls, fit
from imagesources.platform.models import ApiModel, ObjectId
from imagesources.platform.sockets import messages

NOTIFICATIONS = "/v1/hubs/current/notifications"
OPERATION = "getHubNotificationSocketAuth"

Word = Annotated[str, StringConstraints(pattern=r"^[a-z_-]{1,32}$")]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}(\.[a-z0-9_-]{1,32}){1,5}$")]


class Token(ApiModel):
    """What opens the socket, once and soon; in no ``repr``."""

    token: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,4096}$")] = Field(repr=False)


class Subject(ApiModel):
    """The resource that something happened to, and its state then and before, where they are told."""

    id: ObjectId
    state: Word | None = None
    state_previous: Word | None = None


class Context(ApiModel):
    """Where it happened."""

    hub_id: str


class Notification(ApiModel):
    """Something happened.

    Attributes:
        topic: what, such as ``image.source.state.changed``.
        object: to which resource.
    """

    topic: Topic
    object: Subject
    context: Context


class NotificationCalls(Calls):
    """The notification socket."""

    async def listen(self) -> AsyncGenerator[Notification, None]:
        """Yields what happens in the hub from now on, until the platform closes the socket.

        Then, and after an error, look at the resources again: what happened meanwhile is not told. What is no
        notification, or one of another hub, is passed over. Close the iterator (``contextlib.aclosing``) to leave.

        Raises:
            NotSent: there is no connection.
            Unanswered: the platform does not open the socket.
            Refused: the key gets no token.
        """
        ticket = fit(OPERATION, Token, await self._ask(OPERATION, "GET", NOTIFICATIONS))
        url = self._transport.address(OPERATION, NOTIFICATIONS, [("token", ticket.token)])
        async with aclosing(messages(OPERATION, url)) as heard:
            async for message in heard:
                notification = _read(message)
                if notification is not None and notification.context.hub_id == self._hub_id:
                    yield notification


def _read(message: str) -> Notification | None:
    try:
        return Notification.model_validate_json(message)
    except ValidationError:
        return None
