-- Version 1. Every table is STRICT. Units stand at the end of a name: `_e4` is 1e-4 dollars, `_e2`
-- 1e-2 contracts, `_e6` 1e-6 dollars, `_ns` nanoseconds since 1970. `seq` numbers everything that
-- happened over all tables, in the order in which it was written.

CREATE TABLE runs (
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  nonce       TEXT    NOT NULL            -- the beginning of every client order id of the run
) STRICT;

CREATE TABLE intents (
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,           -- when it was decided
  agent       TEXT    NOT NULL,
  order_id    INTEGER NOT NULL,           -- the agent's number for it; from 2^63 on shown as negative
  ticker      TEXT,                       -- NULL: the agent named a market that does not exist
  side        TEXT    NOT NULL,           -- bid: buys YES; ask: sells YES
  price_e4    INTEGER NOT NULL,           -- of the YES leg
  quantity_e2 INTEGER NOT NULL,
  time_in_force TEXT  NOT NULL,
  post_only   INTEGER NOT NULL,
  expires_ns  INTEGER,
  client_order_id TEXT,                   -- approved: the order that it became
  exchange_index  INTEGER,                -- approved: the shard of its market
  denied      TEXT                        -- denied: the reason code with its numbers
) STRICT;
-- Which numbers an agent has used is asked at every start.
CREATE INDEX intents_by_order_id ON intents (agent, order_id);

CREATE TABLE orders (                     -- the present state of each order
  client_order_id TEXT PRIMARY KEY,
  intent_seq  INTEGER NOT NULL,           -- its row in intents
  venue_order_id  TEXT,                   -- the exchange's name for it, once known
  state       TEXT    NOT NULL,
  is_final    INTEGER NOT NULL,           -- nothing more can happen to it
  filled_e2   INTEGER NOT NULL,           -- as the exchange says
  booked_e2   INTEGER NOT NULL,           -- the sum of its rows in fills
  updated_ns  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What a new run has to care for.
CREATE INDEX orders_unfinished ON orders (intent_seq) WHERE is_final = 0 OR filled_e2 > booked_e2;

CREATE TABLE order_events (               -- what was heard of orders
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  client_order_id TEXT,                   -- NULL: placed outside this host, without one
  venue_order_id  TEXT,
  agent       TEXT,                       -- NULL: placed outside this host
  order_id    INTEGER,
  ticker      TEXT    NOT NULL,
  event       TEXT    NOT NULL,
  from_state  TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  filled_e2   INTEGER NOT NULL,
  reason      TEXT    NOT NULL
) STRICT;
CREATE INDEX order_events_by_order ON order_events (client_order_id);

CREATE TABLE fills (
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,           -- when the host learned of it
  venue_ts_ns INTEGER NOT NULL,           -- when it happened, by the exchange's clock
  fill_id     TEXT    NOT NULL UNIQUE,    -- the exchange's key: no fill is booked twice
  venue_order_id  TEXT NOT NULL,
  client_order_id TEXT,                   -- NULL: placed outside this host
  agent       TEXT,
  order_id    INTEGER,
  ticker      TEXT    NOT NULL,
  side        TEXT    NOT NULL,
  price_e4    INTEGER NOT NULL,
  quantity_e2 INTEGER NOT NULL,
  fee_e6      INTEGER NOT NULL,           -- what the exchange charged
  is_taker    INTEGER NOT NULL,
  held_e2     INTEGER NOT NULL,           -- the agent's position in the market after it
  held_cost_e6     INTEGER NOT NULL,
  held_realized_e6 INTEGER NOT NULL,
  held_fees_e6     INTEGER NOT NULL
) STRICT;
CREATE INDEX fills_by_order ON fills (client_order_id);
CREATE INDEX fills_by_time ON fills (venue_ts_ns);

CREATE TABLE holdings (                   -- the present position of each agent in each market
  agent       TEXT    NOT NULL,           -- empty: made outside this host
  ticker      TEXT    NOT NULL,
  held_e2     INTEGER NOT NULL,           -- more than zero is long YES
  cost_e6     INTEGER NOT NULL,           -- of the open part, signed like the position
  realized_e6 INTEGER NOT NULL,           -- profit and loss of what was closed, fees apart
  fees_e6     INTEGER NOT NULL,
  updated_ns  INTEGER NOT NULL,
  PRIMARY KEY (agent, ticker)
) STRICT, WITHOUT ROWID;

CREATE TABLE holding_changes (            -- holdings that changed without a fill
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  agent       TEXT,
  ticker      TEXT    NOT NULL,
  settled_e4  INTEGER,                    -- what one YES contract paid; NULL: taken over as found
  held_e2     INTEGER NOT NULL,
  cost_e6     INTEGER NOT NULL,
  realized_e6 INTEGER NOT NULL,
  fees_e6     INTEGER NOT NULL
) STRICT;

CREATE TABLE commands (                   -- cancels, shutdowns: what is asked for and is no order
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  agent       TEXT,                       -- NULL: an operator
  command     TEXT    NOT NULL
) STRICT;

CREATE TABLE halts (                      -- the last one of each scope holds
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  agent       TEXT,                       -- NULL: all
  reason      TEXT                        -- NULL: orders are accepted again
) STRICT;

CREATE TABLE agent_changes (
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  agent       TEXT    NOT NULL,
  down        TEXT                        -- why it went; NULL: it came
) STRICT;

CREATE TABLE readiness (                  -- whether the desk knew enough to trade
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  not_ready   TEXT                        -- why it did not; NULL: it did
) STRICT;

CREATE TABLE differences (                -- where the exchange and the desk did not agree
  seq         INTEGER PRIMARY KEY,
  ts_ns       INTEGER NOT NULL,
  kind        TEXT    NOT NULL,
  ticker      TEXT,
  detail      TEXT    NOT NULL
) STRICT;

-- What is still to be known of intents that were deleted for their age.
CREATE TABLE old_order_ids (              -- numbers that their agent has used
  agent       TEXT    NOT NULL,
  order_id    INTEGER NOT NULL,
  PRIMARY KEY (agent, order_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE order_id_floors (            -- every number up to this one counts as used
  agent       TEXT    PRIMARY KEY,
  floor       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened to an order, and why: SELECT * FROM order_history WHERE client_order_id = '...';
-- or, as the agent names it, WHERE agent = '...' AND order_id = ...
CREATE VIEW order_history AS
  SELECT client_order_id, agent, order_id, ticker, seq,
         strftime('%Y-%m-%d %H:%M:%f', ts_ns / 1000000000.0, 'unixepoch') AS time,
         iif(denied IS NULL, 'approved', 'denied') AS event,
         iif(denied IS NULL, 'sent', 'denied') AS state,
         format('%s %.2f at %.4f %s%s%s', side, quantity_e2 / 100.0, price_e4 / 10000.0,
                time_in_force, iif(post_only, ' post_only', ''),
                iif(denied IS NULL, '', ': ' || denied)) AS detail
    FROM intents
  UNION ALL
  SELECT client_order_id, agent, order_id, ticker, seq,
         strftime('%Y-%m-%d %H:%M:%f', ts_ns / 1000000000.0, 'unixepoch'),
         event, state,
         format('filled %.2f%s', filled_e2 / 100.0, iif(reason = '', '', ': ' || reason))
    FROM order_events
  UNION ALL
  SELECT client_order_id, agent, order_id, ticker, seq,
         strftime('%Y-%m-%d %H:%M:%f', ts_ns / 1000000000.0, 'unixepoch'),
         'booked', NULL,
         format('%s %.2f at %.4f as %s, fee %.6f, fill %s', side, quantity_e2 / 100.0,
                price_e4 / 10000.0, iif(is_taker, 'taker', 'maker'), fee_e6 / 1000000.0, fill_id)
    FROM fills
  ORDER BY seq;

-- Who holds what, in contracts and dollars.
CREATE VIEW positions AS
  SELECT agent, ticker,
         format('%.2f', held_e2 / 100.0) AS contracts,
         iif(held_e2 = 0, NULL, format('%.4f', cost_e6 * 1.0 / held_e2 / 10000.0)) AS average_price,
         format('%.6f', realized_e6 / 1000000.0) AS realized,
         format('%.6f', fees_e6 / 1000000.0) AS fees,
         strftime('%Y-%m-%d %H:%M:%f', updated_ns / 1000000000.0, 'unixepoch') AS time
    FROM holdings;
