ALTER TABLE edge_routes ADD COLUMN resolver TEXT NOT NULL DEFAULT '';
ALTER TABLE edge_routes ADD COLUMN addresses TEXT NOT NULL DEFAULT '';

CREATE TABLE issuances (
  id INTEGER PRIMARY KEY,
  hostname TEXT NOT NULL,
  time TEXT NOT NULL,
  issued INTEGER NOT NULL
);
CREATE INDEX issuances_by_hostname ON issuances(hostname);
