--- Operators on text, which has to be known: it is read in Lua.
-- @module cusp.onnx.load.text
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ops = require "cusp.ops"
local plain = require "cusp.base.plain"
local values = require "cusp.onnx.load.values"

local operators = {}

local function strings(list, shape)
  if values.product(shape) == 0 then return ops.zeros(shape, {dtype = "string"}) end
  return engine.tensor(list, {dtype = "string", shape = shape})
end

function operators.StringConcat(_, a, b)
  local shape = values.broadcast({table.unpack(a.shape)}, {table.unpack(b.shape)})
  if values.product(shape) == 0 then return strings({}, shape) end
  local first = values.list(ops.broadcast_to(a, shape), "the first text")
  local second, joined = values.list(ops.broadcast_to(b, shape), "the second text"), {}
  for i, text in ipairs(first) do joined[i] = text .. second[i] end
  return strings(joined, shape)
end

---------------------------------------------------------------- splitting

local function split_at_blanks(text, most)
  local parts, at = {}, 1
  while true do
    local first = text:find("%S", at)
    if not first then return parts end
    if #parts == most then
      parts[#parts + 1] = text:sub(first):gsub("%s+$", "")
      return parts
    end
    local last = text:find("%s", first) or #text + 1
    parts[#parts + 1], at = text:sub(first, last - 1), last
  end
end

local function split_at(text, delimiter, most)
  local parts, at = {}, 1
  while #parts < most do
    local first, last = text:find(delimiter, at, true)
    if not first then break end
    parts[#parts + 1], at = text:sub(at, first - 1), last + 1
  end
  parts[#parts + 1] = text:sub(at)
  return parts
end

function operators.StringSplit(node, x)
  local delimiter, most = node.a.delimiter or "", node.a.maxsplit or math.maxinteger
  local rows, counts, widest, list = {}, {}, 0, {}
  for i, text in ipairs(values.product(x.shape) > 0 and values.list(x, "the text") or {}) do
    rows[i] = delimiter == "" and split_at_blanks(text, most) or split_at(text, delimiter, most)
    counts[i] = #rows[i]
    widest = math.max(widest, #rows[i])
  end
  values.limit(widest * #rows, "the parts")
  for _, row in ipairs(rows) do
    for k = 1, widest do list[#list + 1] = row[k] or "" end
  end
  local shape = {table.unpack(x.shape)}
  local counted = engine.tensor(counts, {dtype = "int64", shape = {table.unpack(shape)}})
  shape[#shape + 1] = widest
  return strings(list, shape), counted
end

---------------------------------------------------------------- normalising

local cases = {LOWER = plain.lower, UPPER = plain.upper, NONE = function(text) return text end}

local function stop_words(a)
  local set = {}
  for _, word in ipairs(a.stopwords or {}) do
    set[a.is_case_sensitive == 1 and word or plain.lower(word)] = true
  end
  return set
end

function operators.StringNormalizer(node, x)
  local a, kept = node.a, {}
  local change, stopped = cases[a.case_change_action or "NONE"], stop_words(a)
  for _, text in ipairs(values.list(x, "the text")) do
    if not stopped[a.is_case_sensitive == 1 and text or plain.lower(text)] then
      kept[#kept + 1] = change(text)
    end
  end
  if #kept == 0 then kept[1] = "" end
  return strings(kept, #x.shape == 2 and {1, #kept} or {#kept})
end

---------------------------------------------------------------- counting sequences

local separator = "\0"

-- A sequence of items as a key → its column; by length.
local function columns_of(a)
  local pool, by_length, id = a.pool_int64s or a.pool_strings or {}, {}, 0
  for n, first in ipairs(a.ngram_counts) do
    by_length[n] = {}
    for at = first + 1, (a.ngram_counts[n + 1] or #pool), n do
      id = id + 1
      by_length[n][table.concat(pool, separator, at, math.min(at + n - 1, #pool))] = id
    end
  end
  return by_length
end

local function count_row(row, a, by_length, counts)
  for n = a.min_gram_length, a.max_gram_length do
    for skip = 0, n == 1 and 0 or math.min(a.max_skip_count, #row) do
      for start = 1, #row - (skip + 1) * (n - 1) do
        local items = {}
        for k = 1, n do items[k] = row[start + (k - 1) * (skip + 1)] end
        local id = (by_length[n] or {})[table.concat(items, separator)]
        if id then counts[id] = (counts[id] or 0) + 1 end
      end
    end
  end
end

local function weigh(count, weight, mode)
  if mode == "IDF" then return weight end
  return mode == "TFIDF" and count * weight or count
end

function operators.TfIdfVectorizer(node, x)
  local a, width, list = node.a, 0, {}
  local by_length, items = columns_of(a), values.list(x, "the sequence")
  for _, column in ipairs(a.ngram_indexes) do width = math.max(width, column + 1) end
  local size = x.shape[#x.shape]
  local rows = #x.shape == 2 and x.shape[1] or 1
  for i = 1, values.limit(rows * width, "the counts") do list[i] = 0.0 end
  for r = 1, rows do
    local counts = {}
    count_row({table.unpack(items, (r - 1) * size + 1, r * size)}, a, by_length, counts)
    for id, count in pairs(counts) do
      local column = a.ngram_indexes[id]
      if not column or column < 0 then errors.raise "a sequence of the pool has no column" end
      list[(r - 1) * width + column + 1] = weigh(count, a.weights and a.weights[id] or 1.0, a.mode)
    end
  end
  return engine.tensor(list, {dtype = "float32",
    shape = #x.shape == 2 and {rows, width} or {width}})
end

return operators
