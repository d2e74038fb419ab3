--- A model's message without the bytes of its large weights, which are read into tensors straight
-- from the file.
-- @module cusp.onnx.messages.ranges
local ranges = {}

local GRAPH <const>, INITIALIZER <const>, RAW_DATA <const> = 7, 5, 9 -- fields of ONNX's messages
local smallest <const> = 1024 -- bytes that are worth a read of their own
local window <const> = 65536

local Scanner = {}
Scanner.__index = Scanner

-- Bytes from `at` on, at least as many as a tag and a length have.
function Scanner:look(at)
  if at < self.first or at + 20 > self.first + #self.text then
    self.first = at
    self.text = self.reader:read(at, math.min(window, self.reader.size - at))
  end
  return at - self.first + 1
end

-- A number in groups of 7 bits; nil if there is none.
function Scanner:varint(at)
  local place, value = self:look(at), 0
  for i = 0, 9 do
    local byte = self.text:byte(place + i)
    if not byte then return nil end
    value = value | (byte & 0x7f) << 7 * i
    if byte < 0x80 then return value, at + i + 1 end
  end
end

-- The end of a field's content and its beginning; nil if the content is damaged.
function Scanner:content(wire, at)
  if wire == 2 then
    local length, first = self:varint(at)
    if length and length >= 0 and length <= self.reader.size then return first + length, first end
  elseif wire == 0 then
    local _, stop = self:varint(at)
    return stop, at
  elseif wire == 1 or wire == 5 then
    return at + (wire == 1 and 8 or 4), at
  end
end

-- Calls `f(number, tag's place, first, stop, wire)` for each field between two places.
-- Returns whether all of them are well formed.
function Scanner:fields(first, stop, f)
  local at = first
  while at < stop do
    local tag, after = self:varint(at)
    local last, content = self:content((tag or 7) & 7, after)
    if not last or last > stop then return false end
    f(tag >> 3, at, content, last, tag & 7)
    at = last
  end
  return true
end

---------------------------------------------------------------- pieces of the new message

local function varint(value)
  local bytes = {}
  while value >= 0x80 do
    bytes[#bytes + 1] = string.char(value & 0x7f | 0x80)
    value = value >> 7
  end
  bytes[#bytes + 1] = string.char(value)
  return table.concat(bytes)
end

local function field(number, content)
  return varint(number << 3 | 2) .. varint(#content) .. content
end

-- A tensor without its bytes and where those are; nil if they are few, or not in one piece.
local function tensor_without_data(scanner, first, stop)
  local found, from, to
  local ok = scanner:fields(first, stop, function(number, tag, content, last, wire)
    if number == RAW_DATA then
      found = not found and wire == 2 and {offset = content, length = last - content} or false
      from, to = tag, last
    end
  end)
  if not ok or not found or found.length < smallest then return nil end
  local reader = scanner.reader
  return reader:read(first, from - first) .. reader:read(to, stop - to), found
end

local function graph_without_data(scanner, first, stop)
  local pieces, list, count, kept = {}, {}, 0, first
  local ok = scanner:fields(first, stop, function(number, tag, content, last, wire)
    if number ~= INITIALIZER or wire ~= 2 then return end
    count = count + 1
    local rest, data = tensor_without_data(scanner, content, last)
    if not rest then return end
    pieces[#pieces + 1] = scanner.reader:read(kept, tag - kept)
    pieces[#pieces + 1] = field(INITIALIZER, rest)
    list[count], kept = data, last
  end)
  pieces[#pieces + 1] = scanner.reader:read(kept, stop - kept)
  return ok and table.concat(pieces), list
end

--- Reads a model's message.
-- @tparam reader reader of the file
-- @treturn string the bytes of the onnx.ModelProto, without the data of large initializers
-- @treturn table where these are, by number of the initializer: `offset`, `length`
function ranges.read(reader)
  local scanner = setmetatable({reader = reader, first = 0, text = ""}, Scanner)
  local graphs, rest = {}, {}
  local ok = scanner:fields(0, reader.size, function(number, tag, content, last, wire)
    if number == GRAPH and wire == 2 then
      graphs[#graphs + 1] = {content, last}
    else
      rest[#rest + 1] = reader:read(tag, last - tag)
    end
  end)
  if ok and #graphs == 1 then
    local graph, list = graph_without_data(scanner, graphs[1][1], graphs[1][2])
    if graph then return table.concat(rest) .. field(GRAPH, graph), list end
  end
  return reader:read(0, reader.size), {}
end

return ranges
