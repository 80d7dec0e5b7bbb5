CREATE TABLE hostnames (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL REFERENCES placements(service) ON DELETE CASCADE
);
CREATE INDEX hostnames_by_service ON hostnames(service);
CREATE TABLE sequence (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL
);
