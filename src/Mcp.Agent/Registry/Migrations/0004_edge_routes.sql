CREATE TABLE edge_routes (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL,
  backend TEXT NOT NULL,
  port INTEGER NOT NULL,
  created_at TEXT NOT NULL
);
