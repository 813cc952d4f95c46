-- The ledger's tables as version 1 made them, with one audit in the midst of a tick.
CREATE TABLE audits (
  audit VARCHAR(120) NOT NULL,
  name TEXT NOT NULL,
  plan_yaml TEXT NOT NULL,
  plan_path TEXT NOT NULL,
  plan_sha256 VARCHAR(64) NOT NULL,
  clock_factor FLOAT NOT NULL,
  clock_origin_utc VARCHAR(32) NOT NULL,
  started_at_utc VARCHAR(32) NOT NULL,
  ended_at_utc VARCHAR(32),
  head_seq BIGINT NOT NULL,
  head_sha256 VARCHAR(64) NOT NULL,
  PRIMARY KEY (audit)
);
CREATE TABLE holdproof_schema (
  version INTEGER NOT NULL
);
CREATE TABLE switches (
  name VARCHAR(40) NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE cases (
  audit VARCHAR(120) NOT NULL,
  case_id VARCHAR(200) NOT NULL,
  vendor VARCHAR(60) NOT NULL,
  persona VARCHAR(60) NOT NULL,
  scenario VARCHAR(60) NOT NULL,
  sample INTEGER NOT NULL,
  reference VARCHAR(40) NOT NULL,
  state VARCHAR(20) NOT NULL,
  step INTEGER NOT NULL,
  ticks_done BIGINT NOT NULL,
  next_at_utc VARCHAR(32),
  cursor TEXT NOT NULL,
  PRIMARY KEY (audit, case_id),
  FOREIGN KEY(audit) REFERENCES audits (audit)
);
CREATE INDEX cases_by_state ON cases (audit, state);
CREATE TABLE effects (
  key VARCHAR(64) NOT NULL,
  audit VARCHAR(120) NOT NULL,
  case_id VARCHAR(200) NOT NULL,
  contact VARCHAR(220) NOT NULL,
  vendor VARCHAR(60) NOT NULL,
  kind VARCHAR(20) NOT NULL,
  target TEXT NOT NULL,
  reserved_at_utc VARCHAR(32) NOT NULL,
  dearest_minor FLOAT NOT NULL,
  cost_minor FLOAT,
  currency VARCHAR(8) NOT NULL,
  longest_s FLOAT NOT NULL,
  live INTEGER NOT NULL,
  state VARCHAR(20) NOT NULL,
  PRIMARY KEY (key),
  FOREIGN KEY(audit) REFERENCES audits (audit)
);
CREATE INDEX effects_by_vendor ON effects (audit, vendor, kind);
CREATE TABLE events (
  audit VARCHAR(120) NOT NULL,
  seq BIGINT NOT NULL,
  case_id VARCHAR(200),
  contact VARCHAR(220),
  kind VARCHAR(40) NOT NULL,
  at_utc VARCHAR(32) NOT NULL,
  record TEXT NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  PRIMARY KEY (audit, seq),
  FOREIGN KEY(audit) REFERENCES audits (audit)
);
CREATE INDEX events_by_case ON events (audit, case_id, seq);
INSERT INTO holdproof_schema (version) VALUES (1);
INSERT INTO audits VALUES ('acme-1', 'Acme', 'holdproof: 1', 'plan.yaml', 'aa', 1.0, '2026-11-02T09:30:00.000000Z', '2026-11-02T09:30:00.000000Z', NULL, 0, '0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO cases VALUES ('acme-1', 'acme.ann.login.1', 'acme', 'ann', 'login', 1, 'HP-1', 'open', 0, 3, NULL, '{}');
