-- Which revision was put to work on each service, and what came of it. Bodies are JSON of RevisionCodec.
CREATE TABLE revisions (
  id TEXT PRIMARY KEY,
  body TEXT NOT NULL,
  made_at TEXT NOT NULL
);

CREATE TABLE releases (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  service TEXT NOT NULL,
  number INTEGER NOT NULL,
  revision TEXT NOT NULL REFERENCES revisions(id),
  operation TEXT NOT NULL,
  began_at TEXT NOT NULL,
  ended_at TEXT,
  made_by TEXT NOT NULL,
  outcome TEXT,
  why TEXT NOT NULL DEFAULT '',
  UNIQUE (service, number)
);

CREATE INDEX releases_by_operation ON releases(operation);

CREATE INDEX releases_by_revision ON releases(revision);

CREATE VIEW revisions_in_use AS SELECT revision AS id FROM releases;

ALTER TABLE operations ADD COLUMN why TEXT NOT NULL DEFAULT '';
