-- What a new connection leads to.
-- Arguments: none. Result: the value that this client has set as it connected, empty if another
-- client or a pooler has opened the session; whether it takes no writes; its schema, empty if it
-- does not exist; the process that serves it, and when its server was started. Text protocol: a
-- pooler may serve the next statement by another session.
SELECT
    coalesce(current_setting('usher.session', true), ''),
    pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
    coalesce(current_schema(), ''),
    pg_backend_pid(),
    pg_postmaster_start_time()::text
