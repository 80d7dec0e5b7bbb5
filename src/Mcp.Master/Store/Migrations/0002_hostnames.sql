CREATE TABLE hostnames (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL REFERENCES placements(service) ON DELETE CASCADE
);
CREATE INDEX hostnames_by_service ON hostnames(service);
