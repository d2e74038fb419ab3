--- Messages of Jupyter on the wire: routing names, a delimiter, a signature, and four JSON texts.
-- Source: "Messaging in Jupyter", section "The Wire Protocol", version 5.3.
-- @module cusp.notebook.wire
local engine = require "cusp.engine"
local json = require "cusp.formats.json"

local wire = {}

local DELIMITER = "<IDS|MSG>"

--- The version of the protocol.
wire.version = "5.3"

---------------------------------------------------------------- names and dates

--- A name that no other session has.
-- @treturn string
function wire.new_id()
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  return (source:read(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local began = os.time() - engine.monotonic()

local function date()
  local now = began + engine.monotonic()
  local whole = math.floor(now)
  return ("%s.%06dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", whole), (now - whole) * 1e6 // 1 | 0)
end

---------------------------------------------------------------- reading

local function find_delimiter(parts)
  for i, part in ipairs(parts) do
    if part == DELIMITER then return i end
  end
end

--- Reads a message.
-- @tparam {string,...} parts as they came
-- @tparam function sign `sign(key, parts)`
-- @tparam string key
-- @treturn ?table `{identities =, header =, header_text =, content =}`; nil where it is none, or
-- its signature is wrong
function wire.read(parts, sign, key)
  local at = find_delimiter(parts)
  if not at or #parts < at + 5 then return nil end
  local texts = table.move(parts, at + 2, at + 5, 1, {})
  if key ~= "" and sign(key, texts) ~= parts[at + 1] then return nil end
  local ok, header = engine.attempt(json.decode, texts[1])
  local read, content = engine.attempt(json.decode, texts[4])
  if not ok or not read or type(header) ~= "table" or type(content) ~= "table" then return nil end
  return {
    identities = table.move(parts, 1, at - 1, 1, {}),
    header = header, header_text = texts[1], content = content,
  }
end

---------------------------------------------------------------- writing

--- A session's messages.
-- @tparam function sign
-- @tparam string key
-- @treturn table with `id`, `user` and `write`
function wire.session(sign, key)
  local session = {id = wire.new_id(), user = "cusp"}
  local count = 0

  --- The parts of a message.
  -- @tparam string kind "execute_reply"
  -- @tparam table content
  -- @tparam table request that it answers, from `wire.read`
  -- @tparam {string,...} identities where it goes
  -- @tparam[opt] table metadata
  -- @treturn {string,...}
  function session.write(kind, content, request, identities, metadata)
    count = count + 1
    local header = json.encode{msg_id = ("%s_%d"):format(session.id, count), session = session.id,
      username = session.user, date = date(), msg_type = kind, version = wire.version}
    local texts = {header, request and request.header_text or "{}",
      metadata and json.encode(metadata) or "{}", json.encode(content)}
    local parts = table.move(identities, 1, #identities, 1, {})
    parts[#parts + 1] = DELIMITER
    parts[#parts + 1] = sign(key, texts)
    return table.move(texts, 1, 4, #parts + 1, parts)
  end

  return session
end

return wire
