-- Version 2: halts that let orders pass that reduce a position, what losses are measured from, and
-- order groups.

ALTER TABLE halts ADD COLUMN reducing INTEGER NOT NULL DEFAULT 0;

CREATE TABLE equities (                   -- what the losses of each agent are measured from
  agent       TEXT    PRIMARY KEY,        -- empty: of all together
  day         INTEGER NOT NULL,           -- days since 1970, UTC
  at_start_e6 INTEGER NOT NULL,           -- what had been made when the day began, less fees
  best_e6     INTEGER NOT NULL,           -- the most that had been made at any moment
  updated_ns  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE order_groups (               -- the group of each agent on each shard of the exchange
  agent       TEXT    NOT NULL,
  exchange_index INTEGER NOT NULL,
  group_id    TEXT    NOT NULL,           -- the exchange's name for it
  limit_e2    INTEGER NOT NULL,           -- contracts that may trade within 15 seconds
  updated_ns  INTEGER NOT NULL,
  PRIMARY KEY (agent, exchange_index)
) STRICT, WITHOUT ROWID;
