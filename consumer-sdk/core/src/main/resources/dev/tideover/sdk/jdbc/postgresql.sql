-- Tideover's inbox, for PostgreSQL 12 and later. Apply it with the tool that keeps your schema, or
-- call JdbcInbox.createSchema(). Running it again changes nothing.
--
-- One row for each request that a handler was started for. There is no column for the route: a
-- request's record doesn't name it, and the id is unique without it, since an id derived from an
-- Idempotency-Key is derived from the route as well.
CREATE TABLE IF NOT EXISTS tideover_inbox (
  message_id   bytea       PRIMARY KEY,           -- the request's id, 16 bytes
  fp           bytea       NOT NULL,              -- its fingerprint, 16 bytes
  state        smallint    NOT NULL DEFAULT 0,    -- 0 pending, 1 succeeded, 2 failed
  replay_epoch int         NOT NULL DEFAULT 0,    -- raised only when an operator replays it
  starts       int         NOT NULL,              -- of its handler
  failures     int         NOT NULL DEFAULT 0,    -- of those, its own fault
  orphans      int         NOT NULL DEFAULT 0,    -- of those, never came to an end
  solo_crashes int         NOT NULL DEFAULT 0,    -- of those, ran alone in their instance
  open_by      uuid,                              -- the instance's run with an unfinished start
  open_solo    boolean     NOT NULL DEFAULT false, -- whether that start runs alone
  reply        bytea,                             -- what it was answered
  first_seen   timestamptz NOT NULL,
  done_at      timestamptz,
  CONSTRAINT tideover_inbox_ended CHECK ((state = 0) = (done_at IS NULL)),
  CONSTRAINT tideover_inbox_answered CHECK ((state = 1) = (reply IS NOT NULL))
);

-- For taking out what is past its retention. Pending rows aren't in it.
CREATE INDEX IF NOT EXISTS tideover_inbox_done ON tideover_inbox (done_at) WHERE done_at IS NOT NULL;
