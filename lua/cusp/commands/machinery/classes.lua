--- Names of classes, for the best ones of a prediction.
-- @module cusp.commands.machinery.classes
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local classes = {}

-- From {"0": "cat"}, {"0": ["n02", "cat"]} or {"cat": 0} to a list.
local function of_object(object)
  local names = {}
  for key, value in pairs(object) do
    local index = math.tointeger(plain.tonumber(key)) or math.tointeger(value)
    local name = math.type(value) == "integer" and key or value
    if type(name) == "table" then name = name[2] or name[1] end
    if index and index >= 0 then names[index + 1] = tostring(name) end
  end
  return names
end

local function read_json(path, text)
  local ok, value = engine.attempt(require("cusp.formats.json").decode, text)
  if not ok or type(value) ~= "table" then
    errors.raise("--class-names: %s: %s", path, ok and "is no list of names" or value)
  end
  return #value > 0 and value or of_object(value)
end

--- Reads names: a line each, a list in JSON, or a JSON object of numbers and names.
-- @tparam string path
-- @tparam integer count how many classes the model has
-- @treturn {string,...}
-- @raise where there are not as many
function classes.read(path, count)
  local reader <close> = engine.files.open(path)
  local text = reader:read(0, reader.size)
  local names = {}
  if plain.lower(path):find "%.json$" then
    names = read_json(path, text)
  else
    for line in text:gmatch "[^\r\n]+" do names[#names + 1] = line end
  end
  if #names ~= count then
    errors.raise("--class-names: %s has %d names, but the model has %d classes", path, #names,
      count)
  end
  return names
end

-- ImageNet's names of the best classes, if the user has Keras's list.
local function of_imagenet(scores, top)
  local decode = require("cusp.applications.imagenet_utils").decode_predictions
  local ok, rows = engine.attempt(decode, scores, top)
  return ok and rows or {}
end

--- The best classes of each sample.
-- @tparam tensor scores `[batch, classes]`
-- @tparam integer top how many
-- @tparam ?string path of a file of names
-- @treturn {{{class=integer,name=string,score=number},...},...}
function classes.best(scores, top, path)
  if #scores.shape ~= 2 then
    errors.raise("--top: the model's output should be [samples, classes], got %s",
      errors.shape(scores.shape))
  end
  local count = scores.shape[2]
  local names = path and classes.read(path, count) or {}
  local known = not path and count == 1000 and of_imagenet(scores, top) or {}
  local values, places = require("cusp.ops").top_k(scores, math.min(top, count))
  local result = {}
  for i, row in ipairs(values:tolist()) do
    local ids, best = places[i]:tolist(), {}
    for k, score in ipairs(row) do
      local name = known[i] and known[i][k][2] or names[ids[k] + 1]
      best[k] = {class = ids[k], name = name, score = score}
    end
    result[i] = best
  end
  return result
end

return classes
