"""What the platform's API says, as frozen values.

Field names, nullability and enums are those of the official description (schemas ``ImageSource``, ``ACL``,
``Job``, ``JobDescriptor``, ``Integration``, ``SourceIncludes``). Reading is lenient: unknown properties are dropped, so
that a newer platform does not break an older operator. An origin stays plain JSON, as the operator compares it leaf by
leaf, and it is kept out of every ``repr``, as it may carry credentials. Other credentials have no field here.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ObjectId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]
Json = dict[str, Any]

ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""The time that stands for "not yet" where the description requires a time (semantics: corrections)."""


class ApiModel(BaseModel):
    """A value of the API: immutable, and deaf to properties that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Resource(ApiModel):
    """What belongs to a hub and has an id."""

    id: ObjectId
    hub_id: str


class Referring(Resource):
    """What names other resources, which an answer can bring along.

    Attributes:
        includes: those that all resources of the same answer name, if they were asked for; else None.
    """

    includes: "Includes | None" = None


class AclEntry(ApiModel):
    """What one role may do with one resource (schema ``ACLEntry``)."""

    view: bool
    modify: bool
    manage: bool


class Acl(ApiModel):
    """Who may do what, by role identifier (schema ``ACL``); no roles means nobody."""

    roles: dict[str, AclEntry] = {}


class SourceState(StrEnum):
    """The life of a source (schema ``ImageSourceState``)."""

    LIVE = "live"
    DELETING = "deleting"
    DELETED = "deleted"


class StateError(ApiModel):
    """What went wrong with a resource (schema ``State``, property ``error``)."""

    message: str = ""
    time: datetime | None = None


class Standing(ApiModel):
    """Since when a resource is in its state, and what went wrong with it (schema ``State``)."""

    changed: datetime
    error: StateError | None = None


class State(Standing):
    """Where a source stands (schema ``ImageSourceState``)."""

    current: SourceState


class Events(ApiModel):
    """When a source was created, updated and deleted; ``ZERO_TIME`` means not yet."""

    created: datetime
    updated: datetime
    deleted: datetime


class Creator(ApiModel):
    """Who created a resource (schema ``CreatorScope``)."""

    id: str
    type: str


class Builder(ApiModel):
    """The integration that builds the images, by id or identifier (``builder``)."""

    integration_id: str | None = None


class About(ApiModel):
    """What people say about a source (schema ``ImageSourceAbout``)."""

    description: str | None = None


class ImagesCount(ApiModel):
    """How many images a source has, in all and by state (``meta=images_count``)."""

    total: int
    state: dict[str, int] = {}


class Meta(ApiModel):
    """What is only there when it is asked for (schema ``ImageSourceMeta``)."""

    images_count: ImagesCount | None = None


SourceType = Literal["direct", "stack-build", "bucket"]  # in the order of the CRD, as `SourceType | None` is cached


class Source(Referring):
    """One image source as the platform sees it (schema ``ImageSource``)."""

    identifier: str
    type: SourceType
    name: str
    about: About | None = None
    origin: Json = Field(repr=False)
    builder: Builder | None = None
    creator: Creator
    acl: Acl | None = None
    state: State
    events: Events
    meta: Meta | None = None


class TaskError(ApiModel):
    """Why a job or a task failed."""

    message: str = ""


class TaskStep(ApiModel):
    """A step of a task; ``ZERO_TIME`` means not yet."""

    caption: str
    description: str = ""
    started: datetime
    completed: datetime


class WorkTimes(ApiModel):
    """When a job or task was queued, started and completed; ``ZERO_TIME`` means not yet."""

    queued: datetime
    started: datetime
    completed: datetime


class TaskState(ApiModel):
    """Where a task stands (schema ``TaskState``)."""

    current: Literal["pending", "error", "running", "completed"] = "pending"
    changed: datetime | None = None


class Task(ApiModel):
    """A task of a job (schema ``JobTask``); its input and output may echo secrets and are not read."""

    id: str
    caption: str
    header: str = ""
    events: WorkTimes
    steps: tuple[TaskStep, ...] | None = None
    state: TaskState
    error: TaskError | None = None


JOB_FAILURES = {"error", "expired"}
"""States in which a job has ended without doing its work."""


class JobState(ApiModel):
    """Where a job stands (schema ``JobState``)."""

    current: Literal["new", "queued", "error", "scheduled", "expired", "running", "completed"]
    changed: datetime | None = None
    error: TaskError | None = None

    @property
    def ended(self) -> bool:
        """Whether the job does nothing more."""
        return self.current == "completed" or self.failed

    @property
    def failed(self) -> bool:
        """Whether the job has ended without doing its work."""
        return self.current in JOB_FAILURES


class Job(Referring):
    """Work that the platform does in the background (schema ``Job``)."""

    caption: str = ""
    queue: str = ""
    events: WorkTimes
    tasks: tuple[Task, ...] = ()
    creator: Creator | None = None
    state: JobState


class JobTicket(ApiModel):
    """The job that a request started, in its own words (``JobDescriptor.job``)."""

    id: ObjectId
    accepted: bool


class JobDescriptor(ApiModel):
    """The answer to a request that the platform carries out later (schema ``JobDescriptor``)."""

    action: str
    job: JobTicket | None = None


class IntegrationState(Standing):
    """Where an integration stands (schema ``IntegrationState``)."""

    current: Literal["new", "verifying", "live", "deleting", "deleted"]


class VendorField(ApiModel):
    """What a vendor wants to be told (schema ``IntegrationDefinitionField``)."""

    name: str
    required: bool
    type: str = ""
    description: str = ""
    regex: str | None = None
    options: tuple[str, ...] | None = None


class VendorFields(ApiModel):
    """What a vendor wants to be told, by property of ``auth`` and ``extra``."""

    auth: dict[str, VendorField] | None = None
    extra: dict[str, VendorField] | None = None


class IntegrationDefinition(ApiModel):
    """What a vendor's service is and needs (schema ``IntegrationDefinition``).

    Attributes:
        extends: what it is for, such as ``image-builder``.
    """

    vendor: str
    name: str
    url: str
    public: bool
    usable: bool
    editable: bool
    deprecated: bool = False
    supports_verification: bool
    supports_multiple: bool
    required_fields: tuple[str, ...]
    features: tuple[str, ...] | None = None
    extends: tuple[str, ...] | None = None
    fields_: VendorFields = Field(VendorFields(), alias="fields")


class IntegrationMeta(ApiModel):
    """What is only there when it is asked for (schema ``IntegrationMeta``)."""

    definition: IntegrationDefinition | None = None


class Integration(Resource):
    """Somebody else's service that a hub uses (schema ``Integration``); its credentials are never read."""

    identifier: str
    name: str
    vendor: str
    creator: Creator
    state: IntegrationState
    events: Events
    meta: IntegrationMeta | None = None


class PersonName(ApiModel):
    """What somebody is called (schema ``AccountName``)."""

    first: str
    last: str


class Person(ApiModel):
    """Somebody with an account (schema ``PublicAccount``); the address is not read."""

    id: str
    name: PersonName


class Named(ApiModel):
    """An API key, an environment or a stack: what it is called, and never what it holds, such as a key's secret."""

    id: ObjectId
    name: str


class StackBuild(ApiModel):
    """A build of a stack (schema ``StackBuild``)."""

    id: ObjectId
    stack_id: str


class Creators(ApiModel):
    """Who created resources, by id (schema ``CreatorInclude``)."""

    accounts: dict[str, Person] = {}
    employees: dict[str, Person] = {}
    visitors: dict[str, Person] = {}
    environments: dict[str, Named] = {}
    api_keys: dict[str, Named] = {}


class Includes(ApiModel):
    """What resources name, by id, each once (schemas ``SourceIncludes``, ``ImageIncludes``, ``JobIncludes``).

    What was not asked for is empty. A builder may be named by the identifier of an integration instead of its id.
    """

    creators: Creators = Creators()
    integrations: dict[str, Integration] = {}
    sources: dict[str, Source] = {}
    stacks: dict[str, Named] = {}
    stack_builds: dict[str, StackBuild] = {}


Referring.model_rebuild()  # knows Includes from here on, for models in other modules
