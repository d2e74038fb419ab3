--- What may stand for the value of an argument: names of activations and losses, choices, dtypes.
-- @module cusp.prompt.choices
local namespace = require "cusp.base.namespace"
local plain = require "cusp.base.plain"

local choices = {}

local dtypes = {"float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
  "uint8", "uint16", "uint32", "uint64", "bool", "string"}

-- Names of a namespace as arguments write them: classes in snake case, functions as they are.
local function names_of(path)
  local space, names, seen = require("cusp")[path], {}, {}
  for _, name in ipairs(namespace.names(space)) do
    local written = name:find "^%u" and namespace.snake_case(name) or name
    if not seen[written] and written ~= "get" and written ~= "serialize"
      and written ~= "deserialize" and not name:find "Loss$" then
      seen[written] = true
      names[#names + 1] = written
    end
  end
  plain.sort(names)
  return names
end

local function of_space(path)
  return function() return names_of(path) end
end

-- Classes and the functions of losses alike.
local function of_optimizers()
  local names = {}
  for _, name in ipairs(names_of "optimizers") do
    if name ~= "optimizer" and name ~= "schedules" and name ~= "loss_scale_optimizer" then
      names[#names + 1] = name
    end
  end
  return names
end

local function of_metrics()
  local names = names_of "metrics"
  table.move(names_of "losses", 1, 1000, #names + 1, names)
  names[#names + 1] = "accuracy"
  return names
end

-- By the parameter's kind, else by the end of its name.
local by_kind = {
  activation = of_space "activations", initializer = of_space "initializers",
  regularizer = of_space "regularizers", constraint = of_space "constraints",
  loss = of_space "losses", optimizer = of_optimizers, metrics = of_metrics,
  dtype = function() return dtypes end,
}
by_kind.learning_rate = nil

local by_name = {
  padding = {"valid", "same", "causal"}, data_format = {"channels_last", "channels_first"},
  verbose = {"auto"}, shuffle = {"batch"}, mode = {"auto", "min", "max"},
  monitor = {"val_loss", "loss", "val_accuracy", "accuracy"},
}

local function of_name(name)
  for kind, list in pairs(by_kind) do
    if name == kind or name:sub(-#kind - 1) == "_" .. kind then return list() end
  end
  return by_name[name]
end

--- The strings that an argument takes; nil where they are not known.
-- @tparam string name of the argument
-- @tparam ?table parameter as `parameters.of` lists it
-- @treturn ?{string,...}
function choices.of(name, parameter)
  local declared = parameter and parameter.choices
  if declared then
    local list = {}
    for _, choice in ipairs(declared) do
      if type(choice) == "string" then list[#list + 1] = choice end
    end
    return list
  end
  local kind = parameter and by_kind[parameter.kind]
  return kind and kind() or of_name(name)
end

return choices
