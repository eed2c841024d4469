"""The codes that an ended request is counted under: a closed set, whatever a platform answers."""

_OWN = {"ok", "not-sent", "unanswered", "cancelled"}

OF_THE_PLATFORM = frozenset(
    {
        *(
            "400.invalid-syntax",
            "401.auth-expired",
            "401.auth-invalid",
            "401.no-cookie",
            "401.unauthorized-application",
        ),
        *("403.2fa-failed", "403.2fa-required", "403.expired", "403.invalid-ip", "403.invalid-state", "403.mismatch"),
        *(
            "403.new-application-capabilities",
            "403.not-allowed",
            "403.not-approved",
            "403.not-ready",
            "403.permissions",
        ),
        *("403.platform-disabled", "403.restricted-portal", "403.tier-restricted", "403.wrong-hub"),
        *("404.hub", "404.hub.integration", "404.hub.role", "404.image", "404.image.source", "404.job", "404.uri"),
        *("409.duplicate-found", "415.invalid-content-type", "422.already-exists", "422.invalid-argument"),
        *("422.invalid-input", "422.max-exceeded", "422.missing-argument", "422.not-compatible", "429.rate-limiting"),
    }
)
"""Schema ``Error``: all below 500, which count as unanswered; of 404 what a request of ours can name."""

_SERVER_ERRORS = {
    *("500.database", "500.database-insert", "500.database-remove", "500.database-update", "500.dev", "500.email"),
    *("500.jobd", "500.unknown", "503.dependency-not-enabled", "503.not-enabled", "503.not-ready"),
    "504.not-available",
}

DESCRIBED = OF_THE_PLATFORM | _SERVER_ERRORS
"""What is taken for a code in an answer of the platform."""

KNOWN = frozenset(_OWN | OF_THE_PLATFORM)


def known(code: str) -> str:
    """Return the code, or "other" for one that is not in the set."""
    return code if code in KNOWN else "other"
