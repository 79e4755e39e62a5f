-- The applied migrations.
-- Arguments: none. Result: version and hash of the migration's text, ascending.
SELECT m.version, m.hash FROM migrations m ORDER BY m.version
