CREATE TABLE operations (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  step INTEGER NOT NULL,
  undoing INTEGER NOT NULL,
  state TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX operations_one_per_subject ON operations(kind, subject);
