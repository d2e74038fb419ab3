--- What a name means: every public name of the library with where it is, and the variables of the
-- program.
-- @module cusp.prompt.lookup
local doc_comments = require "cusp.base.doc_comments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local methods = require "cusp.prompt.methods"
local namespace = require "cusp.base.namespace"
local parameters = require "cusp.prompt.parameters"
local plain = require "cusp.base.plain"
local rooms = require "cusp.base.rooms"

local lookup = {}

-- Namespaces in the order in which their meanings of a name are listed.
local spaces = {"layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks",
  "initializers", "regularizers", "constraints", "activations", "random", "utils", "models", "data",
  "saving", "datasets", "ops.image", "config", "summary"}

-- Those that take a while to load, or stand on libraries that do.
local further = {"applications", "distribution", "distillation", "onnx", "profiler", "quantizers",
  "samplers", "visualization", "hdf5", "numpy", "json", "yaml", "zip", "tfrecord", "safetensors"}

-- Classes whose methods have help of their own, by how a variable that holds one is called.
local owners = {
  {"model", "Model"}, {"layer", "Layer"}, {"tape", "GradientTape"}, {"dataset", "data.Dataset"},
  {"history", "callbacks.History"}, {"optimizer", "Optimizer"}, {"metric", "Metric"},
  {"callback", "callbacks.Callback"},
}

-- Other names for the same owners, as programs have them.
local aliases = {m = "model", Model = "model", Sequential = "model", net = "model", l = "layer",
  Layer = "layer", t = "tensor", x = "tensor", Tensor = "tensor", GradientTape = "tape",
  Dataset = "dataset", ds = "dataset", data = "dataset", ["data.Dataset"] = "dataset",
  opt = "optimizer", Optimizer = "optimizer", v = "variable", Variable = "variable",
  Metric = "metric", Callback = "callback", History = "history"}

---------------------------------------------------------------- the index

local function follow(value, path)
  for part in path:gmatch "[^.:]+" do
    if type(value) ~= "table" then return nil end
    value = value[part]
  end
  return value
end

local function add(index, path, get)
  if not index.by_path[path] then
    local entry = {path = path, name = path:match "[%w_]+$", get = get}
    index.by_path[path] = entry
    index[#index + 1] = entry
  end
end

local function add_member(index, space, prefix, name)
  if type(name) == "string" and name:find "^[%a_]" and name:sub(1, 1) ~= "_" then
    add(index, prefix .. name, function() return space[name] end)
  end
end

-- Their rows are read when one is asked for: that takes longer than a key press may.
local function add_operations(index, cusp)
  for _, names in ipairs{getmetatable(cusp.ops).__members, engine.ops} do
    for name in next, names do add_member(index, cusp.ops, "ops.", name) end
  end
  table.sort(index, function(a, b) return a.path < b.path end)
end

local function add_spaces(index, cusp, paths)
  for _, path in ipairs(paths) do
    local ok, space = engine.attempt(follow, cusp, path)
    if ok and type(space) == "table" then
      for _, name in ipairs(namespace.names(space)) do
        add_member(index, space, path .. ".", name)
      end
    end
  end
end

-- Methods of models that stand in rooms of their own.
local function add_rooms(index)
  local function add_room(name, get)
    add(index, "model:" .. name, get)
    index.by_path["model:" .. name].get = get
  end
  for _, name in ipairs{"save", "save_weights", "load_weights"} do
    add_room(name, function() return require("cusp.saving.methods")[name] end)
  end
  add_room("quantize", function() return require "cusp.models.quantize" end)
  add_room("export_c", function() return rooms.get("export_c").export end)
end

local function add_methods(index, cusp)
  for _, owner in ipairs(owners) do
    local class = follow(cusp, owner[2])
    for _, name in ipairs(methods.of_class(class)) do
      add(index, owner[1] .. ":" .. name, function() return class[name] end)
    end
  end
  add_rooms(index)
  for name, note in pairs(methods.engine) do
    add(index, note.owner .. ":" .. name, function() return note end)
    index.by_path[note.owner .. ":" .. name].note = note
  end
end

local index, complete

-- What can be listed while a key is pressed: models and the formats of files take longer to load.
local function quick()
  if index then return index end
  local cusp = require "cusp"
  index = {by_path = {}}
  add_operations(index, cusp)
  add_spaces(index, cusp, spaces)
  for _, name in ipairs(namespace.names(cusp)) do add_member(index, cusp, "cusp.", name) end
  return index
end

local function all()
  if complete then return index end
  complete = true
  quick()
  add_spaces(index, require "cusp", further)
  add_methods(index, require "cusp")
  return index
end

---------------------------------------------------------------- names

local function snake(name) return namespace.snake_case(name) end

-- "Model.fit" → "model", "fit"; "cusp.layers.Dense" → "layers", "Dense"; "relu" → "", "relu".
local function split(query)
  query = query:gsub("^cusp%.(.+)", "%1")
  local head, name = query:match "^(.*)[.:]([%w_]+)$"
  if not head then return "", query end
  return aliases[head] or head, name
end

local function head_of(entry) return entry.path:match "^(.*)[.:][%w_]+$" end

-- Two names of one thing are one meaning; of a class, that which it has itself is the one to say.
local function without_copies(list)
  local kept, seen = {}, {}
  for _, entry in ipairs(list) do
    local ok, value = engine.attempt(entry.get)
    local known = ok and value ~= nil and seen[value]
    if known and entry.name == (type(value) == "table" and rawget(value, "__name")) then
      kept[known], entry.value = entry, value
    elseif ok and value ~= nil and not known then
      seen[value] = #kept + 1
      entry.value = value
      if head_of(entry) == "ops" then entry.row = parameters.operation(entry.name) end
      kept[#kept + 1] = entry
    end
  end
  return kept
end

local function matching(head, test)
  local list = {}
  for _, entry in ipairs(all()) do
    if (head == "" or head_of(entry) == head) and test(entry.name) then list[#list + 1] = entry end
  end
  return list
end

-- A value that the program has: a global, a field of one, a method of one.
local function of_program(query)
  local value
  for separator, name in query:gmatch "([.:]?)([%a_][%w_]*)" do
    local ok, found = engine.attempt(function()
      if separator == "" then return rawget(_G, name) end
      return value[name]
    end)
    if not ok or found == nil then return nil end
    value = found
  end
  return value
end

--- The meanings of a name, the likeliest first: `{path =, value =, row = of an operation, note = of
-- a method in C}`.
-- @tparam string query such as "softmax", "layers.Dense", "model:fit"
-- @treturn {table,...}
function lookup.find(query)
  if not query:find "^[%a_][%w_.:]*$" then return {} end
  local head, name = split(query)
  local list = matching(head, function(other) return other == name end)
  if head == "tensor" and #list == 0 then
    list = matching("ops", function(other) return other == name end)
  end
  local folded = snake(name)
  for _, entry in ipairs(matching(head, function(other)
    return other ~= name and snake(other) == folded
  end)) do list[#list + 1] = entry end
  list = without_copies(list)
  if #list == 0 then
    local value = of_program(query)
    if value == nil then value = follow(require "cusp", (query:gsub("^cusp%.", ""))) end
    if value ~= nil then list[1] = {path = query, value = value, name = name} end
  end
  return list
end

--- Whether a value is one that the program made, so that the name means it and nothing else.
function lookup.program_value(name)
  if not name:find "^[%a_][%w_]*$" then return nil end
  local value = rawget(_G, name)
  if value == nil or package.loaded[name] == value then return nil end
  return value
end

--- Names that are like one that is unknown, as paths.
-- @treturn {string,...} at most three
function lookup.near(query)
  local head, name = split(query)
  local names, found = {}, {}
  for _, entry in ipairs(all()) do
    if head == "" or head_of(entry) == head then
      names[entry.name] = names[entry.name] or entry.path
    end
  end
  for _ = 1, 3 do
    local near = errors.nearest(name, names, #name < 5 and 1 or nil)
    if not near then break end
    found[#found + 1] = names[near]
    names[near] = nil
  end
  if #found == 0 and head ~= "" then return lookup.near(name) end
  return found
end

--- All names, for completion; methods where one is asked for or models are there already.
-- @tparam string prefix
-- @treturn {string,...}
function lookup.names(prefix)
  local names, seen = {}, {}
  local wanted = prefix:find(":", 1, true) or package.loaded["cusp.models.model"]
  for _, entry in ipairs(wanted and all() or quick()) do
    for _, name in ipairs{entry.name, entry.path} do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  plain.sort(names)
  return names
end

---------------------------------------------------------------- one line of each

-- The comment of a loss as a function stands above its class.
local function class_of(f)
  return type(f) == "function" and require("cusp").losses.Loss.class_of_function[f] or f
end

--- What is said of a function or class: its comment.
-- @treturn ?table
function lookup.comment(value, name) return doc_comments.of_value(class_of(value), name) end

--- The first sentence of what is said of an entry; "" where nothing is.
-- @treturn string
function lookup.sentence(entry)
  local text
  if entry.row then text = entry.row.help
  elseif entry.note then text = entry.note.text
  else
    local comment = lookup.comment(entry.value, entry.name)
    text = comment and table.concat(comment.text, " ") or ""
  end
  return (text:match "^(.-[.:;])%s" or text):gsub("[:;]$", ".")
end

--- Entries whose name or description mentions a word.
-- @tparam string word
-- @treturn {table,...}
function lookup.mentioning(word)
  word = plain.lower(word)
  local list = {}
  for _, entry in ipairs(without_copies(table.move(all(), 1, #all(), 1, {}))) do
    entry.said = lookup.sentence(entry)
    if plain.lower(entry.path):find(word, 1, true)
      or plain.lower(entry.said):find(word, 1, true) then
      list[#list + 1] = entry
    end
  end
  return list
end

return lookup
