-- Version 2: halts that let orders pass that reduce a position, and what losses are measured from.

ALTER TABLE halts ADD COLUMN reducing INTEGER NOT NULL DEFAULT 0;

CREATE TABLE equities (                   -- what the losses of each agent are measured from
  agent       TEXT    PRIMARY KEY,        -- empty: of all together
  day         INTEGER NOT NULL,           -- days since 1970, UTC
  at_start_e6 INTEGER NOT NULL,           -- what had been made when the day began, less fees
  best_e6     INTEGER NOT NULL,           -- the most that had been made at any moment
  updated_ns  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
