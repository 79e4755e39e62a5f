-- Records a migration, in the transaction that applies it.
-- Arguments: $1 version, $2 name, $3 hash of the migration's text.
INSERT INTO migrations (version, name, hash) VALUES ($1, $2, $3)
