-- Derives every key of a script from KEYS[1], the header `<env>:{sNN}:program:<id>:head`, so all
-- share its hash tag. Needs delay/clock and delay/entry. Order numbers, nonces and offsets stay
-- strings: Lua numbers lose digits above 2^53.
-- The programs of the shard that are being filled have `filling_key`.
-- Most keys are known only while a script runs. In a cluster a key that never exists is declared
-- beside the header: a call is then refused before its first read while the slot moves to another
-- node key by key. On the old node it would find some keys gone, on the new one write some that are
-- still to come.
--@siblings head absent
local head_key, shard_root, program_id, program_root, owner_key, claim_key, filling_key, timeouts
--@call
-- A function keeps them from its last call.
if KEYS[1] ~= head_key then
  head_key = KEYS[1]
  shard_root, program_id = string.match(head_key, '^(.-:{s%d%d}:)program:(%d+):head$')
  if not shard_root then
    head_key = nil
    return bad('the key must be the header of a program')
  end
  program_root = head_key:sub(1, -5)
  owner_key = program_root .. 'owner'
  claim_key = program_root .. 'claim'
  filling_key = shard_root .. 'filling'
  timeouts = delay_queue(shard_root .. 'delay:order-timeout:due')
  -- timeout-closer runs by the clock; no worker sleeps until an order's timeout.
  timeouts.quiet = true
end
--@end

-- Redis and `..` write a number with up to 17 digits, which takes several times as long. Exact below
-- 2^53. A function keeps the texts of counts.
local counts = {}
local function digits_of(number)
  local text = counts[number]
  if text then return text end
  text = string.format('%d', number)
  if number >= -20 and number <= 20 then counts[number] = text end
  return text
end

local function user_key(user) return program_root .. 'user:' .. user end
local function resv_key(order) return shard_root .. 'resv:' .. order end
local function tomb_key(order) return shard_root .. 'tomb:' .. order end

-- The idempotency keys of a buyer in this program.
local function idems_key(user) return shard_root .. 'idems:' .. program_id .. ':' .. user end

-- One idempotency key as an earlier version stored it. User and key may contain ':', so the length
-- of the user is part of the name.
local function old_idem_key(user, key)
  return shard_root .. 'idem:' .. program_id .. ':' .. #user .. ':' .. user .. ':' .. key
end

-- The body of an order's timeout entry.
local function timeout_job(nonce)
  return '{"program":"' .. program_id .. '","nonce":"' .. nonce .. '"}'
end

-- Whether the timeout entry belongs to another order with the same number.
local function timeout_of_another(order, nonce)
  local body = redis.call('HGET', timeouts.job, order)
  return body and body ~= timeout_job(nonce)
end

local function is_order(text) return string.find(text or '', '^[1-9]%d*$') and #text <= 19 end
local function is_nonce(text) return string.find(text or '', '^[0-9a-f]+$') and #text == 32 end

-- The texts of the numbers of a list that was checked before.
local function names_of(text)
  local names = {}
  for digits in string.gmatch(text, '%d+') do names[#names + 1] = digits end
  return names
end

-- '3,4,5' as numbers, and as the texts of the numbers. nil unless they are 1 to 20, ascending,
-- without leading zeros.
local function seat_list(text)
  local seats, names, last = {}, {}, -1
  if not string.find(text or '', '^%d[%d,]*$') then return nil end
  for digits in string.gmatch(text, '%d+') do
    local seat, n = tonumber(digits), #seats + 1
    if seat <= last or n > 20 or digits:byte() == 48 and #digits > 1 then return nil end
    seats[n], names[n], last = seat, digits, seat
  end
  return seats, names
end
