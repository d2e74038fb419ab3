--- Types of parameters and results as annotations for editors write them.
local choices = require "cusp.prompt.choices"

local types = {}

---------------------------------------------------------------- by name

local known = {
  tensor = "cusp.Tensor", Variable = "cusp.Variable", variable = "cusp.Variable",
  integer = "integer", int = "integer", number = "number", float = "number", float32 = "number",
  boolean = "boolean", bool = "boolean", string = "string", table = "table", any = "any",
  ["function"] = "function", list = "table", shape = "integer|(integer|table)[]",
  integers = "integer|integer[]", ints = "integer|integer[]", int_or_ints = "integer|integer[]",
  axis = "integer", axes = "integer|integer[]", tensors = "cusp.TensorLike|cusp.TensorLike[]",
  Model = "cusp.Model", Sequential = "cusp.Sequential", Layer = "cusp.layers.Layer",
  layer = "cusp.layers.Layer", History = "cusp.callbacks.History",
  Dataset = "cusp.data.Dataset", Optimizer = "cusp.optimizers.Optimizer",
  Metric = "cusp.metrics.Metric", Loss = "cusp.losses.Loss", GradientTape = "cusp.GradientTape",
}

-- What is given may be a number or a list, too; what comes back is a tensor.
local given = {tensor = "cusp.TensorLike"}

local function of_name(name, names)
  local optional = name:match "^%?(.*)$"
  if optional then return of_name(optional, names) .. "|nil" end
  local item = name:match "^{(.*),%.%.%.}$"
  if item then
    local text = types.of_text(item, names)
    return text:find "|" and ("(%s)[]"):format(text) or text .. "[]"
  end
  return names[name] or known[name] or name:find "^{" and "table" or "any"
end

--- The type that a comment writes: "?{tensor,...}|string".
function types.of_text(text, names)
  if text:find "^{" then return of_name(text, names or {}) end
  local parts, seen = {}, {}
  for name in text:gmatch "[^|]+" do
    local part = of_name(name, names or {})
    if part == "any" then return "any" end
    if not seen[part] then parts[#parts + 1], seen[part] = part, true end
  end
  return #parts > 0 and table.concat(parts, "|") or "any"
end

---------------------------------------------------------------- names that stand for objects

local aliases, order = {}, {} -- name → the strings; the names in the order of their first use

local function pascal(name)
  return (name:gsub("^%l", string.upper):gsub("_(%l)", string.upper))
end

local function quoted(list)
  local parts = {}
  for i, item in ipairs(list) do parts[i] = ("%q"):format(item) end
  return table.concat(parts, "|")
end

local resolved = {}
for name in ("activation initializer regularizer constraint loss optimizer metrics dtype"):gmatch
  "%a+" do
  resolved[name] = true
end

-- Long lists of names get a name of their own, which many options share.
local function named(parameter, list, otherwise)
  local text = quoted(list) .. otherwise
  if #list < 5 then return text end
  local word = resolved[parameter.kind] and parameter.kind or parameter.name:match "[^_]+$"
  local name = "cusp." .. pascal(word)
  if aliases[name] and aliases[name] ~= text then return text end
  if not aliases[name] then order[#order + 1] = name end
  aliases[name] = text
  return name
end

--- The aliases that types have used so far: `{{name, text}, ...}`.
function types.aliases()
  local list = {}
  for i, name in ipairs(order) do list[i] = {name, aliases[name]} end
  return list
end

---------------------------------------------------------------- parameters

local function plain_type(parameter)
  local kind = parameter.kind or "any"
  if parameter.list_of == "layer" then return "cusp.layers.Layer[]" end
  return types.of_text(kind, given)
end

--- The type of what may be given for a parameter.
function types.of_parameter(parameter)
  local strings = choices.of(parameter.name, parameter)
  if not strings or #strings == 0 then return plain_type(parameter) end
  if parameter.choices then return named(parameter, strings, "") end
  local kind = plain_type(parameter)
  if kind == "any" or kind == "table" or kind == "string" then kind = "string|function|table" end
  return named(parameter, strings, "|" .. kind)
end

--- The type of a comment's results; what an operation returns where nothing is said.
function types.of_returns(comment, otherwise)
  if #comment.returns == 0 then return otherwise end
  local list = {}
  for i, text in ipairs(comment.returns) do
    local name = text:match "^%??{[^}]*}" or text:match "^[%w_.?|]+" or "any"
    list[i] = types.of_text(name)
  end
  return table.concat(list, ", ")
end

return types
