CREATE TABLE changes (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL
);

CREATE TABLE components (
  service TEXT NOT NULL REFERENCES services(name) ON DELETE CASCADE,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  image TEXT NOT NULL,
  definition TEXT NOT NULL,
  spec_hash TEXT NOT NULL,
  generation INTEGER NOT NULL,
  desired TEXT NOT NULL,
  updated_at TEXT NOT NULL, runtime TEXT NOT NULL DEFAULT 'container', memory_mb INTEGER, vcpus INTEGER,
  PRIMARY KEY (service, name)
);

CREATE TABLE edge_routes (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL,
  backend TEXT NOT NULL,
  port INTEGER NOT NULL,
  created_at TEXT NOT NULL
, resolver TEXT NOT NULL DEFAULT '', addresses TEXT NOT NULL DEFAULT '');

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

CREATE TABLE generations (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (service, component)
);

CREATE TABLE holds (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  PRIMARY KEY (service, component)
);

CREATE TABLE images (
  kind TEXT NOT NULL,
  image TEXT NOT NULL,
  reference TEXT NOT NULL,
  used_at TEXT NOT NULL,
  PRIMARY KEY (kind, image, reference)
);

CREATE TABLE issuances (
  id INTEGER PRIMARY KEY,
  hostname TEXT NOT NULL,
  time TEXT NOT NULL,
  issued INTEGER NOT NULL
);

CREATE INDEX issuances_by_hostname ON issuances(hostname);

CREATE TABLE kept_images (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  generation INTEGER NOT NULL,
  reference TEXT NOT NULL,
  image TEXT NOT NULL, release INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (service, component, generation)
);

CREATE TABLE master_epochs (
  id INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL UNIQUE
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

CREATE UNIQUE INDEX operations_one_per_subject ON operations(kind, subject);

CREATE TABLE peers (
  id INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,
  epoch TEXT NOT NULL,
  change INTEGER NOT NULL,
  UNIQUE (peer, epoch)
);

CREATE TABLE ports (
  host_port INTEGER PRIMARY KEY,
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  generation INTEGER NOT NULL,
  inside INTEGER NOT NULL,
  UNIQUE (service, component, generation, inside)
);

CREATE TABLE pulls (
  kind TEXT NOT NULL,
  reference TEXT NOT NULL,
  meant TEXT NOT NULL,
  there TEXT NOT NULL,
  kept TEXT NOT NULL,
  PRIMARY KEY (kind, reference)
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

CREATE VIEW revisions_in_use AS SELECT revision AS id FROM releases;

CREATE TABLE routes (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  name TEXT NOT NULL,
  port INTEGER NOT NULL,
  mode TEXT NOT NULL,
  hostname TEXT UNIQUE,
  public INTEGER NOT NULL,
  PRIMARY KEY (service, component, name),
  FOREIGN KEY (service, component) REFERENCES components(service, name) ON DELETE CASCADE
);

CREATE TABLE sequences (
  service TEXT PRIMARY KEY,
  last INTEGER NOT NULL
, epoch TEXT NOT NULL DEFAULT '', change INTEGER NOT NULL DEFAULT 0);

CREATE TABLE services (
  name TEXT PRIMARY KEY,
  tier TEXT NOT NULL,
  node TEXT,
  active INTEGER NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE sqlite_sequence(name,seq);
