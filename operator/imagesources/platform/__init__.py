"""The platform's Image Sources API as a typed client: models, client, errors, transport."""
