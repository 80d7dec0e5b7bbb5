CREATE TABLE generations (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (service, component)
);

INSERT INTO generations (service, component, last) SELECT service, name, generation FROM components;

CREATE TABLE holds (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  PRIMARY KEY (service, component)
);
