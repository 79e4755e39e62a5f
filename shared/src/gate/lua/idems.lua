-- The idempotency keys of a buyer in a program, in one string: when the string ends, ms (no key ends
-- later), then a line for each key, the youngest first. No word contains a space.
--   key order:nonce:hash end
-- Needs delay/clock and gate/keys.

-- Keys of one buyer in one program. Only keys of live orders may exceed it.
local MAX_KEYS = 32
-- Bytes of a line at least: a string of fewer than MAX_KEYS of them is not counted.
local MIN_LINE = 50

-- The line of a key in such a string: where it begins, the place behind it, order:nonce:hash, and
-- when it ends. nil for none.
local function find_idem(text, key)
  local before, at = string.find(text or '', '\n' .. key .. ' ', 1, true)
  if not before then return nil end
  local named, ends, last = string.match(text, '^(%S+) (%d+)()', at + 1)
  return before + 1, last + 1, named, ends
end

-- order:nonce:hash of a key; nil if it is new. `old` is the value that an earlier version stored.
local function named_by(text, key, old)
  local _, _, named, ends = find_idem(text, key)
  if named and tonumber(ends) > now then return named end
  return old
end

-- Removes from lines what has ended, and beyond MAX_KEYS the oldest keys of ended orders:
-- order-create still rejects a second order of such a key as a duplicate. The key of an order with
-- tickets or a reservation stays: a repeated request must find that order.
local function trimmed(user, lines)
  local kept, orders = {}, {}
  for line, order, ends in string.gmatch(lines, '(%S+ (%d+):%S+ (%d+)\n)') do
    if tonumber(ends) > now then kept[#kept + 1], orders[#orders + 1] = line, order end
  end
  local excess = #kept - MAX_KEYS
  for n = #kept, 1, -1 do
    if excess <= 0 then break end
    local lives = redis.call('HEXISTS', user_key(user), orders[n]) == 1
      or redis.call('EXISTS', resv_key(orders[n])) == 1
    if not lives then
      table.remove(kept, n)
      excess = excess - 1
    end
  end
  return table.concat(kept)
end

-- Stores order:nonce:hash under a key for `ttl` ms; `text` is the buyer's string `at`, or nil. Cost:
-- one command; two more for each live order beyond MAX_KEYS.
local function remember(at, user, key, named, ttl, text)
  local ends = now_up + ttl
  local line = key .. ' ' .. named .. ' ' .. digits_of(ends) .. '\n'
  if not text then
    local last = digits_of(ends)
    redis.call('SET', at, last .. '\n' .. line, 'PXAT', last)
    return
  end
  local from, behind = find_idem(text, key)
  if from then text = text:sub(1, from - 1) .. text:sub(behind) end
  local last, first_line = string.match(text, '^(%d+)\n()')
  local others = text:sub(first_line)
  if #line + #others > MAX_KEYS * MIN_LINE then
    line, others = trimmed(user, line .. others), ''
  end
  if ends > tonumber(last) then last = digits_of(ends) end
  redis.call('SET', at, last .. '\n' .. line .. others, 'PXAT', last)
end

-- Deletes a key if it names this order (order:nonce).
local function forget(user, key, owner)
  local old_key, names = old_idem_key(user, key), owner .. ':'
  local found = redis.call('MGET', idems_key(user), old_key)
  local from, behind, named = find_idem(found[1], key)
  if named and named:sub(1, #names) == names then
    local rest = found[1]:sub(1, from - 1) .. found[1]:sub(behind)
    if string.find(rest, '^%d+\n$') then
      redis.call('DEL', idems_key(user))
    else
      redis.call('SET', idems_key(user), rest, 'KEEPTTL')
    end
  end
  if found[2] and found[2]:sub(1, #names) == names then redis.call('DEL', old_key) end
end
