CREATE TABLE edge_routes (
  hostname TEXT PRIMARY KEY,
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  certificate_expires TEXT
);
CREATE INDEX edge_routes_by_service ON edge_routes(service);
