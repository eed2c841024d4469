"""What all kinds of resources have in common: a row with a state, an error and times, whose changes are told."""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Table, select, update

from imagesources.embedded import clock, events


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The changes of one kind of resource.

    Attributes:
        table: where its rows are.
        topic: how events name the kind, such as ``image.source``.
    """

    table: Table
    topic: str

    def row(self, connection: Connection, object_id: str) -> RowMapping:
        """Read a row that is there."""
        return connection.execute(select(self.table).where(self.table.c.id == object_id)).mappings().one()

    def put(self, connection: Connection, object_id: str, **values: object) -> None:
        """Set values without a word."""
        connection.execute(update(self.table).where(self.table.c.id == object_id).values(**values))

    def added(self, connection: Connection, object_id: str) -> RowMapping:
        """Tell of a new resource."""
        row = self.row(connection, object_id)
        self.tell(connection, row, "new")
        return row

    def change(self, connection: Connection, object_id: str, **values: object) -> RowMapping:
        """Set values that a client sent."""
        self.put(connection, object_id, **values, updated=clock.now())
        row = self.row(connection, object_id)
        self.tell(connection, row, "updated")
        return row

    def enter(self, connection: Connection, object_id: str, state: str, **values: object) -> None:
        """Go to another state; an error that came before is forgotten."""
        before = self.row(connection, object_id)
        self.put(connection, object_id, state=state, changed=clock.now(), error=None, **values)
        row = self.row(connection, object_id)
        if before["error"] is not None:
            self.tell(connection, row, "error_reset")
        if before["state"] != state:
            events.tell(
                connection, row["hub_id"], f"{self.topic}.state.changed", object_id, state, previous=before["state"]
            )

    def fail(self, connection: Connection, object_id: str, message: str) -> None:
        """Note why the last job on a resource failed, if it is there; its state stays."""
        self.put(connection, object_id, error={"message": message, "time": clock.rfc3339(clock.now())})
        query = select(self.table).where(self.table.c.id == object_id)
        for row in connection.execute(query).mappings():
            self.tell(connection, row, "error", error=message)

    def tell(self, connection: Connection, row: RowMapping, what: str, *, error: str | None = None) -> None:
        """Tell what happened to a resource; a kind without states is always live."""
        state = row.get("state", "live")
        events.tell(connection, row["hub_id"], f"{self.topic}.{what}", row["id"], state, error=error)
