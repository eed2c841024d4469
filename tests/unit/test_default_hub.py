"""The file of the default Hub, and the URL of the embedded database: what is wrong is named, what is secret is not."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from imagesources.cli import main
from imagesources.embedded import EmbeddedPlatform
from imagesources.kube.default_hub import DefaultHub, HubFileError

PLATFORM = {"hubId": "5f" * 12, "apiKeyFrom": {"secretKeyRef": {"name": "key", "key": "apiKey"}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("spec: [", "while parsing"),
        ("{}", "it must be spec: and the spec of a ClusterHub"),
        ("apiVersion: v1\nspec: {}", "it must be spec: and the spec of a ClusterHub"),
        ({}, "spec: a hub is either platform (url, hubId, apiKeyFrom) or embedded: {}"),
        ({"embedded": {}, "platform": PLATFORM}, "spec: a hub is either platform (url, hubId, apiKeyFrom) or embedded"),
        ({"embedded": {}, "rateLimit": {"burst": "many"}}, "spec.rateLimit.burst: "),
        ({"embeded": {}}, "spec.embeded: there is no such field"),
        ({"platform": PLATFORM | {"hub": "x"}}, "spec.platform.hub: there is no such field"),
        ({"platform": {"hubId": "5f" * 12}}, "spec.platform.apiKeyFrom: "),
    ],
)
def test_bad_file(tmp_path: Path, content: str | dict[str, object], message: str) -> None:
    """A file that describes no Hub is refused with the name of the field at fault."""
    path = tmp_path / "hub.yaml"
    path.write_text(content if isinstance(content, str) else json.dumps({"spec": content}))
    with pytest.raises(HubFileError) as refused:
        DefaultHub.read(path, "")
    assert message in str(refused.value)


def test_good_file(tmp_path: Path) -> None:
    """The spec is taken as it is written, for a ClusterHub or for a Hub of a namespace."""
    path = tmp_path / "hub.yaml"
    path.write_text(json.dumps({"spec": {"platform": PLATFORM, "inventoryInterval": "90s"}}))
    for namespace in ("", "system"):
        hub = DefaultHub.read(path, namespace)
        assert (hub.namespace, hub.spec["inventoryInterval"]) == (namespace, "90s")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--leader-elect", "--embedded-database=sqlite:///x.db"], "use PostgreSQL, or one operator"),
        (["--shard-selector=a", "--embedded-database=sqlite:///x.db"], "use PostgreSQL, or one operator"),
        (["--shard-selector=a b"], "is no label selector"),
        (["--default-hub={file}", "--namespace=team"], "add --namespace imagesource-system"),
        (["--default-hub={file}"], "spec: a hub is either platform"),
    ],
)
def test_flags_that_do_not_fit(tmp_path: Path, flags: list[str], message: str) -> None:
    """What does not go together ends the start with exit code 2 and says what to do."""
    path = tmp_path / "hub.yaml"
    path.write_text("spec: {}")
    answer = CliRunner().invoke(main, ["run", *(flag.format(file=path) for flag in flags)])
    assert answer.exit_code == 2
    assert message in " ".join(answer.output.split())


@pytest.mark.parametrize(
    "url", ["postgresql://me:s3cr3t@127.0.0.1:1/none", "postgresql://me:s3cr3t@[", "nosuch://me:s3cr3t@host/x"]
)
def test_password_of_the_database_is_not_shown(url: str) -> None:
    """A database that does not answer, or a URL that is none, is refused without the password."""

    async def open_it() -> None:
        async with EmbeddedPlatform.open(url):
            raise AssertionError("it was opened")

    with pytest.raises(Exception) as refused:  # noqa: PT011 - of whatever kind: the operator logs its text
        asyncio.run(open_it())
    assert str(refused.value)
    assert "s3cr3t" not in str(refused.value)
