CREATE TABLE changes (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL
);
INSERT INTO changes (only, last) VALUES (1, 0);

CREATE TABLE epochs (
  id INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL UNIQUE,
  parent TEXT,
  parent_change INTEGER NOT NULL
);

CREATE TABLE peers (
  id INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,
  epoch TEXT NOT NULL,
  change INTEGER NOT NULL,
  UNIQUE (peer, epoch)
);
