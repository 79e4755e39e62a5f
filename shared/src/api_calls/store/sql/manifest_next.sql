-- The version of the next manifest. The row is locked until the commit: one manifest is written at
-- a time. A transaction that is rolled back uses none.
-- Arguments: none. Result: the version, and the time, ms.
UPDATE api_manifest SET version = version + 1 WHERE id = 1
RETURNING version, epoch_ms(now()) AS now_ms
