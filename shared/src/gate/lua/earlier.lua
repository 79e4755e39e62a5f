-- The order of a client's idempotency key. Needs delay/clock, delay/entry, gate/keys and
-- gate/reservation.

-- The reply for a key that was used before, for order:nonce:hash (nil: for none). `owner` is the
-- caller's order:nonce. An order that is still held is to be published again, within `window`
-- ms.
local function earlier_order(named, body_hash, window, owner)
  if not named then return nil end
  local its_order, its_nonce, its_hash = string.match(named, '^(%d+):(%x+):(%x*)$')
  -- The hash is '' for a key restored from a row of an earlier version: any body matches.
  if its_hash ~= '' and its_hash ~= body_hash then return { 'KEYREUSED' } end
  local its_owner, resv = its_order .. ':' .. its_nonce, resv_key(its_order)
  local r = read_reservation(resv)
  if not r or r.nonce ~= its_nonce then return { 'ENDED', its_owner } end
  if its_owner == owner then return { 'HELD', owner, r.text } end
  if r.state == 'held' then
    r.attempt = digits_of(r.attempt + 1)
    change_state(resv, r, 'held', '')
    delay_put(timeouts, its_order, timeout_job(its_nonce), now_up + window)
  end
  return { 'AGAIN', its_owner, r.text }
end
