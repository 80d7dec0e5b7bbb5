CREATE TABLE services (
  name TEXT PRIMARY KEY,
  tier TEXT NOT NULL,
  node TEXT,
  active INTEGER NOT NULL,
  updated_at TEXT NOT NULL
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
  updated_at TEXT NOT NULL,
  PRIMARY KEY (service, name)
);
