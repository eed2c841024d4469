"""Every origin type: its details in a resource, and what the API is to get."""

from typing import Any

from imagesources.reconcile.model import FromSecret

Json = dict[str, Any]

REF = {"secretKeyRef": {"name": "login", "key": "token"}}
OTHER_ID = "651586fca6078e98982dbdff"
"""The id of the source that an origin names."""

URL = "https://registry.example.com"


def from_secret(wanted: str, path: str) -> FromSecret:
    """Returns the stand-in for the one credential of these tests."""
    return FromSecret(name="login", key="token", wanted=wanted, path=f"spec.origin.details.{path}")


ORIGINS: dict[str, tuple[Json, Json]] = {
    "docker-hub": (
        {"target": "nginx:1.29", "username": "ci", "tokenFrom": REF, "existing": {"sourceRef": {"name": "base"}}},
        {
            "target": "nginx:1.29",
            "username": "ci",
            "token": from_secret("token", "tokenFrom"),
            "existing": {"source_id": OTHER_ID},
        },
    ),
    "docker-registry": (
        {"target": "shop/web", "url": URL, "usernameFrom": REF, "passwordFrom": REF, "tokenFrom": REF},
        {
            "target": "shop/web",
            "url": URL,
            "username": from_secret("username", "usernameFrom"),
            "password": from_secret("password", "passwordFrom"),
            "token": from_secret("token", "tokenFrom"),
        },
    ),
    "oci-registry by user": (
        {"target": "web", "url": URL, "auth": {"type": "user", "details": {"username": "ci", "tokenFrom": REF}}},
        {
            "target": "web",
            "url": URL,
            "auth": {
                "type": "user",
                "details": {"username": "ci", "token": from_secret("token", "auth.details.tokenFrom")},
            },
        },
    ),
    "oci-registry by provider": (
        {
            "target": "web",
            "url": URL,
            "auth": {
                "type": "provider",
                "details": {
                    "flavor": "ecr",
                    "credentials": {
                        "region": "eu-central-1",
                        "namespace": "shop",
                        "apiKeyFrom": REF,
                        "secretFrom": REF,
                        "subscriptionId": "1",
                        "clientId": "2",
                        "configFrom": REF,
                    },
                },
            },
        },
        {
            "target": "web",
            "url": URL,
            "auth": {
                "type": "provider",
                "details": {
                    "flavor": "ecr",
                    "credentials": {
                        "region": "eu-central-1",
                        "namespace": "shop",
                        "api_key": from_secret("api_key", "auth.details.credentials.apiKeyFrom"),
                        "secret": from_secret("secret", "auth.details.credentials.secretFrom"),
                        "subscription_id": "1",
                        "client_id": "2",
                        "config": from_secret("config", "auth.details.credentials.configFrom"),
                    },
                },
            },
        },
    ),
    "oci-registry by webhook": (
        {"target": "web", "url": URL, "auth": {"type": "webhook", "details": {"urlFrom": REF}}},
        {
            "target": "web",
            "url": URL,
            "auth": {"type": "webhook", "details": {"url": from_secret("url", "auth.details.urlFrom")}},
        },
    ),
    "docker-file over http": (
        {
            "repo": {
                "urlFrom": REF,
                "branch": "main",
                "auth": {"type": "http", "credentials": {"username": "ci", "passwordFrom": REF}},
                "ref": {"type": "tag", "value": "v1"},
            },
            "contextDir": ".",
            "buildFile": "Dockerfile",
            "credentials": [{"url": URL, "username": "ci", "tokenFrom": REF}],
        },
        {
            "repo": {
                "url": from_secret("url", "repo.urlFrom"),
                "branch": "main",
                "auth": {
                    "type": "http",
                    "credentials": {
                        "username": "ci",
                        "password": from_secret("password", "repo.auth.credentials.passwordFrom"),
                    },
                },
                "ref": {"type": "tag", "value": "v1"},
            },
            "context_dir": ".",
            "build_file": "Dockerfile",
            "credentials": [{"url": URL, "username": "ci", "token": from_secret("token", "credentials[0].tokenFrom")}],
        },
    ),
    "docker-file over ssh": (
        {
            "repo": {
                "url": "git@git.example.com:shop.git",
                "auth": {"type": "ssh", "credentials": {"username": "git", "privateKeyFrom": REF}},
            }
        },
        {
            "repo": {
                "url": "git@git.example.com:shop.git",
                "auth": {
                    "type": "ssh",
                    "credentials": {
                        "username": "git",
                        "private_key": from_secret("private_key", "repo.auth.credentials.privateKeyFrom"),
                        "passphrase": "",
                    },
                },
            }
        },
    ),
    "docker-file over ssh with a passphrase": (
        {
            "repo": {
                "url": "git@git.example.com:shop.git",
                "auth": {
                    "type": "ssh",
                    "credentials": {"username": "git", "privateKeyFrom": REF, "passphraseFrom": REF},
                },
            }
        },
        {
            "repo": {
                "url": "git@git.example.com:shop.git",
                "auth": {
                    "type": "ssh",
                    "credentials": {
                        "username": "git",
                        "private_key": from_secret("private_key", "repo.auth.credentials.privateKeyFrom"),
                        "passphrase": from_secret("passphrase", "repo.auth.credentials.passphraseFrom"),
                    },
                },
            }
        },
    ),
    "docker-file from an archive": (
        {"targzUrlFrom": REF, "existing": {"sourceId": OTHER_ID}},
        {"targz_url": from_secret("targz_url", "targzUrlFrom"), "existing": {"source_id": OTHER_ID}},
    ),
    "cycle-upload": (
        {"expires": "2035-01-01T00:00:00Z", "tokenFrom": REF},
        {"expires": "2035-01-01T00:00:00Z", "token": from_secret("token", "tokenFrom")},
    ),
    "cycle-source by name": ({"sourceRef": {"name": "base"}}, {"source_id": OTHER_ID}),
    "cycle-source by id": ({"sourceId": OTHER_ID}, {"source_id": OTHER_ID}),
}
"""Details of each origin type in a resource, and what the API is to get."""
