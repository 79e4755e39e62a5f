-- The replication id of the server's data set. It changes with a restart and with a failover: the
-- two ways in which Redis can lose recent writes. INFO takes 2 to 10 us.
-- On a replica it raises READONLY, as a write does: a replica may serve old data, and the client
-- then reconnects to the primary.
local function server_replid()
  local info = redis.call('INFO', 'replication')
  if string.find(info, 'role:slave', 1, true) then
    error({ err = 'READONLY this server is a replica: connect to its primary' })
  end
  return string.match(info, 'master_replid:(%x+)')
end

-- Whether the server still has a replication id. A function remembers what it has read for
-- KNOWN_MS: its variables are lost with the process, and no server loses its role, follows another
-- server and gets its role back in that time. A script has no memory and reads each time. Only
-- for scripts that write: Redis refuses those on a replica.
local KNOWN_MS = 10
local known_replid, known_at = nil, 0
local function is_on_server(replid, now)
  if replid == known_replid and now >= known_at and now - known_at < KNOWN_MS then return true end
  known_replid, known_at = server_replid(), now
  return replid == known_replid
end
