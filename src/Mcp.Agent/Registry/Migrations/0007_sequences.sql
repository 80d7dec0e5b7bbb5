CREATE TABLE sequences (
  service TEXT PRIMARY KEY,
  last INTEGER NOT NULL
);
