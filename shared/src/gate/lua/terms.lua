-- What the orders of a category have in common. A function keeps the last ones. Needs delay/clock.

local last_cat, last_fields
-- The names of a category's fields in the header.
local function fields_of(cat)
  if cat ~= last_cat or not last_fields then
    local name = cat or ''
    last_cat, last_fields = cat, {
      layout = 'layout:' .. name, free = 'free:' .. name, freed = 'freed:' .. name,
    }
  end
  return last_fields
end

local terms_text, last_terms
-- Parses 'price limit window key_ttl', the price as text. nil for any other text.
local function terms_of(text)
  if text and text == terms_text then return last_terms end
  local price, limit, window, key_ttl = string.match(text or '', '^(%d+) (%d+) (%d+) (%d+)$')
  limit, window, key_ttl = whole(limit), whole(window), whole(key_ttl)
  if not whole(price) or not limit or not window or window < 1 or not key_ttl or key_ttl < 1 then
    return nil
  end
  terms_text = text
  last_terms = { price = price, limit = limit, window = window, key_ttl = key_ttl }
  return last_terms
end
