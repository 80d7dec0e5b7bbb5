CREATE TABLE changes (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL
);

CREATE TABLE dns_records (
  name TEXT PRIMARY KEY,
  address TEXT NOT NULL
);

CREATE TABLE edge_routes (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  certificate_expires TEXT
);

CREATE INDEX edge_routes_by_service ON edge_routes(service);

CREATE TABLE epochs (
  id INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL UNIQUE,
  parent TEXT,
  parent_change INTEGER NOT NULL
);

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time TEXT NOT NULL,
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL
);

CREATE TABLE hostnames (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL REFERENCES placements(service) ON DELETE CASCADE
);

CREATE INDEX hostnames_by_service ON hostnames(service);

CREATE TABLE join_tokens (
  hash TEXT PRIMARY KEY,
  roles TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  used_by TEXT,
  used_key TEXT
);

CREATE TABLE leftovers (
  step TEXT NOT NULL,
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (step, service, node)
);

CREATE TABLE nodes (
  name TEXT PRIMARY KEY,
  address TEXT NOT NULL,
  roles TEXT NOT NULL,
  key TEXT NOT NULL,
  cordoned INTEGER NOT NULL,
  last_seen TEXT,
  facts BLOB,
  status BLOB
);

CREATE TABLE operations (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  step INTEGER NOT NULL,
  undoing INTEGER NOT NULL,
  state TEXT NOT NULL,
  updated_at TEXT NOT NULL
, why TEXT NOT NULL DEFAULT '');

CREATE TABLE peers (
  id INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,
  epoch TEXT NOT NULL,
  change INTEGER NOT NULL,
  UNIQUE (peer, epoch)
);

CREATE TABLE placements (
  service TEXT PRIMARY KEY,
  node TEXT,
  target TEXT,
  definition TEXT NOT NULL,
  updated_at TEXT NOT NULL, revision TEXT REFERENCES revisions(id),
  CHECK (node IS NOT NULL OR target IS NOT NULL)
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

CREATE TABLE revisions (
  id TEXT PRIMARY KEY,
  body TEXT NOT NULL,
  made_at TEXT NOT NULL
);

CREATE VIEW revisions_in_use AS SELECT revision AS id FROM releases UNION SELECT revision FROM placements WHERE revision IS NOT NULL;

CREATE TABLE sequence (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL
);

CREATE TABLE sqlite_sequence(name,seq);
