-- Whether a session still executes a statement, as another session finds it.
-- Arguments: $1 process of the session, $2 when its server was started. Result: false if the
-- statement has ended, or the session is none of this server; true if that is not shown.
SELECT pg_postmaster_start_time()::text = $2 AND coalesce(
    (SELECT coalesce(a.state, 'disabled') IN ('active', 'fastpath function call', 'disabled')
     FROM pg_stat_activity a WHERE a.pid = $1),
    false)
