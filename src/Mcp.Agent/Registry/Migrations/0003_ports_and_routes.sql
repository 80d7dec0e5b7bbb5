CREATE TABLE ports (
  host_port INTEGER PRIMARY KEY,
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  generation INTEGER NOT NULL,
  inside INTEGER NOT NULL,
  UNIQUE (service, component, generation, inside)
);
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
