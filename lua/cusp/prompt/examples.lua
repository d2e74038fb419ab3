--- Examples for operations whose rows have none: calls that are tried before they are shown.
-- @module cusp.prompt.examples
local engine = require "cusp.engine"
local inspect = require "cusp.base.inspect"

local examples = {}

-- What may stand for tensors, from the plainest on.
local tensors = {"cusp.tensor{{1.0, 2.0}, {3.0, 4.0}}", "cusp.tensor{1.0, 2.0, 3.0}",
  "cusp.tensor{{4.0, 2.0}, {2.0, 3.0}}", "cusp.tensor{1, 2, 3}", "cusp.tensor{true, false}",
  "cusp.ones{1, 4, 4, 1}", "cusp.ones{1, 4, 1}"}

-- What may stand for other arguments, by kind.
local others = {integer = "2", int = "2", number = "0.5", float = "0.5", boolean = "true",
  bool = "true", dtype = '"float32"', shape = "{2, 2}", axis = "1", axes = "1", integers = "{1, 1}",
  ints = "{1, 1}"}

-- Where the kinds of the arguments do not tell what they have to be.
examples.given = {
  arange = "1, 5", array_split = "cusp.arange(1, 6), 2", split = "cusp.arange(1, 5), 2",
  hsplit = "cusp.ones{2, 4}, 2", vsplit = "cusp.ones{4, 2}, 2", dsplit = "cusp.ones{1, 2, 4}, 2",
  conv = "cusp.ones{1, 4, 4, 1}, cusp.ones{2, 2, 1, 1}",
  depthwise_conv = "cusp.ones{1, 4, 4, 1}, cusp.ones{2, 2, 1, 1}",
  separable_conv = "cusp.ones{1, 4, 4, 1}, cusp.ones{2, 2, 1, 1}, cusp.ones{1, 1, 1, 1}",
  depth_to_space = "cusp.ones{1, 2, 2, 4}, 2", dtype = "cusp.ones{2}", ndim = "cusp.ones{2, 3}",
  shape = "cusp.ones{2, 3}", size = "cusp.ones{2, 3}", is_tensor = "cusp.ones{2}",
  take = "cusp.tensor{10, 20, 30}, cusp.tensor{0, 2}",
  take_along_axis = "cusp.tensor{{10, 20}, {30, 40}}, cusp.tensor{{1}, {0}}, 2",
  ["repeat"] = "cusp.tensor{1, 2}, 2", pad = "cusp.tensor{1, 2}, {{1, 1}}",
  scatter = "cusp.tensor{{1}, {3}}, cusp.tensor{10, 20}, {4}",
  scatter_update = "cusp.zeros{3}, cusp.tensor{{2}}, cusp.tensor{5.0}",
  slice = "cusp.tensor{1, 2, 3, 4}, {2}, {2}",
  slice_update = "cusp.zeros{4}, {2}, cusp.ones{2}",
  in_top_k = "cusp.tensor{1}, cusp.tensor{{0.1, 0.9}}, 1",
  rearrange = 'cusp.ones{2, 3}, "a b -> b a"',
  select = "{cusp.tensor{true, false}}, {cusp.tensor{1, 2}}, cusp.tensor{0, 0}",
}

local function argument(parameter, tensor)
  if parameter.kind == "tensor" then return tensor end
  if parameter.kind == "tensors" then return ("{%s, %s}"):format(tensor, tensor) end
  return others[parameter.kind]
end

local function call_text(row, tensor)
  local parts = {}
  for _, parameter in ipairs(row.arguments) do
    if parameter.default ~= nil or parameter.optional then break end
    local text = argument(parameter, tensor)
    if not text then return nil end
    parts[#parts + 1] = text
  end
  return ("cusp.ops.%s(%s)"):format(row.name, table.concat(parts, ", "))
end

local function try(text)
  local f = load("local cusp = ... return " .. text, "=example")
  if not f then return nil end
  local ok, result = engine.attempt(f, require "cusp")
  if not ok or result == nil then return nil end
  local shown, value = engine.attempt(inspect, result)
  return shown and value or nil
end

local function commented(text, value)
  if #text + #value < 72 and not value:find "\n" then return text .. " --> " .. value end
  return text .. "\n--> " .. value:gsub("\n", "\n--  ")
end

--- A call of an operation, with what it gives; nil where none of those tried runs.
-- @tparam table row
-- @treturn ?string
function examples.of_operation(row)
  local given = examples.given[row.name]
  if given then
    local text = ("cusp.ops%s(%s)"):format(row.name == "repeat" and '["repeat"]'
      or "." .. row.name, given)
    local value = try(text)
    return value and commented(text, value)
  end
  for _, tensor in ipairs(tensors) do
    local text = call_text(row, tensor)
    if not text then return nil end
    local value = try(text)
    if value then return commented(text, value) end
  end
end

local required = {integer = "8", number = "0.5", integers = "3", shape = "{4}", string = '"name"',
  axis = "1", list = "{1, 2}"}

--- Classes whose arguments are more than their kinds tell.
examples.without = {}
for name in ("InputLayer ModelCheckpoint Permute StackedRNNCells"):gmatch "%a+" do
  examples.without[name] = true
end

--- Making an instance of a class of the library; nil where that takes more than numbers. It is not
-- tried: an instance takes a name, and a tape would record.
-- @tparam string path "layers.Dense"
-- @tparam {table,...} list of parameters
-- @treturn ?string
function examples.of_class(path, list)
  if examples.without[path:match "[%w_]+$"] then return nil end
  local parts = {}
  for _, parameter in ipairs(list) do
    if parameter.default ~= nil or parameter.optional then break end
    local text = parameter.choices and ("%q"):format(parameter.choices[1])
      or required[parameter.kind]
    if not text then return nil end
    parts[#parts + 1] = text
  end
  local text = ("%s{%s}"):format(path, table.concat(parts, ", "))
  if #parts == 0 then text = path .. "()" end
  if not path:find "^cusp%." then text = "cusp." .. text end
  return ("local %s = %s"):format(path:match "(%l+)s%.[%w_]+$" or "object", text)
end

return examples
