-- What notices named as the reason, so that it is still known when the notice is long gone.

ALTER TABLE notifications_rows
    ADD COLUMN IF NOT EXISTS drivers Array(Tuple(dimension String, value String, share Float64))
        COMMENT 'what most bad requests, or the rise of cost, had in common when it was told';

-- A view keeps the columns that its table had when it was made.
CREATE OR REPLACE VIEW notifications AS SELECT * FROM notifications_rows FINAL;
