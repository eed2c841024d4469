CREATE TABLE hubs (
	id VARCHAR(24) NOT NULL,
	name VARCHAR(512) NOT NULL,
	created BIGINT NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT hubs_by_name_is_unique UNIQUE (name)
);
CREATE TABLE instance (
	singleton INTEGER NOT NULL,
	id VARCHAR(24) NOT NULL,
	PRIMARY KEY (singleton)
);
CREATE TABLE events (
	position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	hub_id VARCHAR(24) NOT NULL,
	topic VARCHAR(64) NOT NULL,
	object_id VARCHAR(24) NOT NULL,
	state VARCHAR(16),
	state_previous VARCHAR(16),
	error TEXT,
	created BIGINT NOT NULL,
	FOREIGN KEY(hub_id) REFERENCES hubs (id)
);
CREATE INDEX events_by_created ON events (created);
CREATE TABLE integrations (
	id VARCHAR(24) NOT NULL,
	hub_id VARCHAR(24) NOT NULL,
	identifier VARCHAR(255) NOT NULL,
	name VARCHAR(255) NOT NULL,
	vendor VARCHAR(64) NOT NULL,
	state VARCHAR(16) NOT NULL,
	changed BIGINT NOT NULL,
	error JSON,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	deleted BIGINT,
	creator_id VARCHAR(24),
	auth JSON,
	extra JSON,
	search TEXT NOT NULL,
	job_id VARCHAR(24),
	PRIMARY KEY (id),
	FOREIGN KEY(hub_id) REFERENCES hubs (id)
);
CREATE INDEX integrations_by_created ON integrations (hub_id, created, id);
CREATE INDEX integrations_by_id ON integrations (hub_id, id);
CREATE INDEX integrations_by_identifier ON integrations (hub_id, identifier, id);
CREATE INDEX integrations_by_name ON integrations (hub_id, name, id);
CREATE INDEX integrations_by_state ON integrations (hub_id, state, id);
CREATE INDEX integrations_by_updated ON integrations (hub_id, updated, id);
CREATE INDEX integrations_by_vendor ON integrations (hub_id, vendor, id);
CREATE UNIQUE INDEX integrations_identifier_is_unique ON integrations (hub_id, identifier) WHERE state != 'deleted';
CREATE TABLE roles (
	id VARCHAR(24) NOT NULL,
	hub_id VARCHAR(24) NOT NULL,
	identifier VARCHAR(255) NOT NULL,
	name VARCHAR(255),
	root BOOLEAN NOT NULL,
	rank INTEGER NOT NULL,
	all_capabilities BOOLEAN NOT NULL,
	capabilities JSON NOT NULL,
	extra JSON NOT NULL,
	creator_id VARCHAR(24),
	error JSON,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	job_id VARCHAR(24),
	PRIMARY KEY (id),
	FOREIGN KEY(hub_id) REFERENCES hubs (id),
	CONSTRAINT roles_by_hub_id_identifier_is_unique UNIQUE (hub_id, identifier)
);
CREATE INDEX roles_by_created ON roles (hub_id, created, id);
CREATE INDEX roles_by_id ON roles (hub_id, id);
CREATE INDEX roles_by_name ON roles (hub_id, name, id);
CREATE INDEX roles_by_rank ON roles (hub_id, rank, id);
CREATE INDEX roles_by_updated ON roles (hub_id, updated, id);
CREATE TABLE api_keys (
	id VARCHAR(24) NOT NULL,
	hub_id VARCHAR(24) NOT NULL,
	name VARCHAR(255) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	role_id VARCHAR(24) NOT NULL,
	all_capabilities BOOLEAN NOT NULL,
	capabilities JSON NOT NULL,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(hub_id) REFERENCES hubs (id),
	FOREIGN KEY(role_id) REFERENCES roles (id),
	CONSTRAINT api_keys_by_digest_is_unique UNIQUE (digest),
	CONSTRAINT api_keys_by_hub_id_name_is_unique UNIQUE (hub_id, name)
);
CREATE TABLE jobs (
	id VARCHAR(24) NOT NULL,
	hub_id VARCHAR(24) NOT NULL,
	caption VARCHAR(255) NOT NULL,
	queue VARCHAR(255) NOT NULL,
	hash VARCHAR(64) NOT NULL,
	creator_id VARCHAR(24) NOT NULL,
	action VARCHAR(64) NOT NULL,
	object_id VARCHAR(24) NOT NULL,
	state VARCHAR(16) NOT NULL,
	changed BIGINT NOT NULL,
	error JSON,
	queued BIGINT NOT NULL,
	started BIGINT,
	completed BIGINT,
	expires BIGINT NOT NULL,
	due BIGINT,
	search TEXT NOT NULL,
	tasks JSON NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(creator_id) REFERENCES api_keys (id),
	FOREIGN KEY(hub_id) REFERENCES hubs (id)
);
CREATE INDEX jobs_by_caption ON jobs (hub_id, caption, id);
CREATE INDEX jobs_by_due ON jobs (due);
CREATE INDEX jobs_by_id ON jobs (hub_id, id);
CREATE INDEX jobs_by_queue ON jobs (hub_id, queue, id);
CREATE INDEX jobs_by_queued ON jobs (hub_id, queued, id);
CREATE INDEX jobs_by_state ON jobs (hub_id, state, id);
CREATE TABLE sources (
	id VARCHAR(24) NOT NULL,
	hub_id VARCHAR(24) NOT NULL,
	identifier VARCHAR(255) NOT NULL,
	name VARCHAR(255) NOT NULL,
	type VARCHAR(16) NOT NULL,
	state VARCHAR(16) NOT NULL,
	changed BIGINT NOT NULL,
	error JSON,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	deleted BIGINT,
	creator_id VARCHAR(24) NOT NULL,
	restricted BOOLEAN NOT NULL,
	acl JSON,
	about JSON,
	builder JSON,
	origin JSON NOT NULL,
	search TEXT NOT NULL,
	job_id VARCHAR(24),
	PRIMARY KEY (id),
	FOREIGN KEY(creator_id) REFERENCES api_keys (id),
	FOREIGN KEY(hub_id) REFERENCES hubs (id)
);
CREATE INDEX sources_by_created ON sources (hub_id, created, id);
CREATE INDEX sources_by_id ON sources (hub_id, id);
CREATE INDEX sources_by_identifier ON sources (hub_id, identifier, id);
CREATE INDEX sources_by_name ON sources (hub_id, name, id);
CREATE INDEX sources_by_state ON sources (hub_id, state, id);
CREATE INDEX sources_by_type ON sources (hub_id, type, id);
CREATE INDEX sources_by_updated ON sources (hub_id, updated, id);
CREATE TABLE images (
	id VARCHAR(24) NOT NULL,
	hub_id VARCHAR(24) NOT NULL,
	source_id VARCHAR(24) NOT NULL,
	source_type VARCHAR(16) NOT NULL,
	identifier VARCHAR(255) NOT NULL,
	name VARCHAR(255) NOT NULL,
	size BIGINT NOT NULL,
	state VARCHAR(16) NOT NULL,
	changed BIGINT NOT NULL,
	error JSON,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	deleted BIGINT,
	creator_id VARCHAR(24) NOT NULL,
	about JSON,
	build JSON,
	builder_id VARCHAR(24),
	source JSON NOT NULL,
	search TEXT NOT NULL,
	job_id VARCHAR(24),
	PRIMARY KEY (id),
	FOREIGN KEY(builder_id) REFERENCES integrations (id),
	FOREIGN KEY(creator_id) REFERENCES api_keys (id),
	FOREIGN KEY(hub_id) REFERENCES hubs (id),
	FOREIGN KEY(source_id) REFERENCES sources (id)
);
CREATE INDEX images_by_created ON images (hub_id, created, id);
CREATE INDEX images_by_id ON images (hub_id, id);
CREATE INDEX images_by_identifier ON images (hub_id, identifier, id);
CREATE INDEX images_by_name ON images (hub_id, name, id);
CREATE INDEX images_by_size ON images (hub_id, size, id);
CREATE INDEX images_by_source ON images (source_id, state, id);
CREATE INDEX images_by_source_type ON images (hub_id, source_type, id);
CREATE INDEX images_by_state ON images (hub_id, state, id);
CREATE INDEX images_by_updated ON images (hub_id, updated, id);
CREATE TABLE source_access (
	source_id VARCHAR(24) NOT NULL,
	role VARCHAR(255) NOT NULL,
	PRIMARY KEY (source_id, role),
	FOREIGN KEY(source_id) REFERENCES sources (id)
);
