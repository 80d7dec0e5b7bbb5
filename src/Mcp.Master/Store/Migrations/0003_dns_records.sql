CREATE TABLE dns_records (
  name TEXT PRIMARY KEY,
  address TEXT NOT NULL
);
