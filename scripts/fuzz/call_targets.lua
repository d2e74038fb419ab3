--- The public functions: how to reach each, as Lua text, and the names of its parameters.
-- @module call_targets
local arguments = require "cusp.base.arguments"
local child = require "child"
local cusp = require "cusp"
local namespace = require "cusp.base.namespace"

local targets = {}

-- Skipped: it uses the network, or is internal to the library.
local left_out = {["cusp.callbacks.RemoteMonitor"] = true, ["cusp.numpy.arrays_of"] = true,
  ["cusp.numpy.add"] = true,
  ["cusp.random.key_of"] = true, ["cusp.random.as_generator"] = true,
    ["cusp.random.get_state"] = true}

-- Methods that programs call; the other methods of a class are for its subclasses.
local public = {}
for name in ([[
  __call add_loss add_weight adapt build compute_mask compute_output_shape compute_output_spec
  count_params
  get_config get_weights set_weights
  reset_states reset_state get_vocabulary set_vocabulary vocabulary_size
  get_build_config build_from_config
  update_state result apply apply_gradients set_learning_rate scale_loss finalize_variable_values
  compile fit evaluate predict train_on_batch test_on_batch predict_on_batch summary
  get_layer save save_weights load_weights to_json to_yaml
  add pop get_metrics_result compute_loss compute_metrics reset_metrics stateless_call
  next watch gradient jacobian stop_recording close plot set_model set_params]]):gmatch "%S+" do
  public[name] = true
end

-- Internal parts of datasets, and methods that are called only with a colon.
local of_stages = {lower = true, open = true, count = true, make = true, iterate = true,
  known_types = true, rows = true}

local reserved = {["repeat"] = true}

local function parameters_of(value)
  local names = {}
  if type(value) == "table" and rawget(value, "__super") then
    for name in pairs(arguments.declaration(value).named) do names[#names + 1] = name end
  elseif type(value) == "function" then
    for _, parameter in ipairs(arguments.of_function(value)
      or {}) do names[#names + 1] = parameter[1] end
  end
  table.sort(names)
  return names
end

local function sorted_keys(t)
  local names = {}
  for name in pairs(t) do
    if type(name) == "string" and name:find "^%a[%w_]*$"
      and not reserved[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- The public methods of a class and its bases.
local function methods(class)
  local found, all = {}, class == cusp.data.Dataset
  while type(class) == "table" do
    for name, value in pairs(class) do
      if type(value) == "function" and type(name) == "string" and (public[name] or all
        and name:find "^%a" and not of_stages[name]) then found[name] = value end
    end
    class = rawget(class, "__super")
  end
  return found
end

local function add(list, text, value, kind)
  if left_out[text] then return end
  list[#list + 1] = {text = text, parameters = parameters_of(value), kind = kind}
end

-- Positional arguments that can create a class.
local tries = {"", "2", "2, 2", "{2}", "0.5", "{2, 2}", '"a"', "f", "{0.1, 10}", "{f}",
  "0.1, 10, 0.9", "{1}, {1}", "dense", "{cell}", "cell",
  '{"a", "b"}', "{1, 1}, 1", "2, 3, 4", "3, {2, 3}", "0.5, 3", '"ab,bc->ac", 3', "2, f"}

local function working_arguments(class)
  local environment = require("call_values").environment()
  for _, text in ipairs(tries) do
    local chunk = load("return (...)(" .. text .. ")", "=try", "t", environment)
    if pcall(chunk, class) then return text end
  end
end

local function add_class(list, path, class)
  if left_out[path] then return end
  add(list, path, class, "class")
  local made = working_arguments(class)
  if not made then return end
  local object = ("%s(%s)"):format(path, made)
  add(list, object, nil, "class")
  for _, name in ipairs(sorted_keys(methods(class))) do add(list, object .. ":" .. name,
    methods(class)[name], "method") end
  for _, name in ipairs{"from_config", "extend"} do add(list, path .. ":" .. name, nil,
    "class") end
end

local function add_member(list, path, value)
  if type(value) == "function" then return add(list, path, value, "function") end
  if type(value) == "table" and rawget(value, "__super") then return add_class(list, path,
    value) end
end

local function add_operations(list)
  local described = cusp.ops.describe()
  for name, row in pairs(described) do
    if row.flags.hidden then described[name] = nil end
  end
  for _, name in ipairs(sorted_keys(described)) do
    local target = {text = "ops." .. name, parameters = {}, kind = "operation", kinds = {},
      optional = {}}
    for i, argument in ipairs(described[name].arguments) do
      target.parameters[i], target.kinds[i] = argument.name, argument.kind
      target.optional[i] = argument.optional
    end
    list[#list + 1] = target
  end
  for _, name in ipairs(sorted_keys(cusp.ops.image)) do add_member(list, "ops.image." .. name,
    cusp.ops.image[name]) end
end

local spaces = {"activations", "callbacks", "config", "constraints", "data", "datasets", "hdf5",
  "initializers", "json", "layers", "losses",
  "metrics", "models", "numpy", "optimizers", "random", "regularizers", "saving", "summary",
    "tfrecord", "utils", "yaml", "zip"}

local engine = require "cusp.engine"

local function add_objects(list)
  for _, name in ipairs{"trained", "functional", "dataset", "optimizer", "dense", "metric",
    "tape", "generator", "loss", "schedule", "unbuilt", "frozen", "failed", "rebuilt",
    "closed_tape",
    "exhausted", "used"} do
    local environment = require("call_values").environment()
    local found = getmetatable(environment[name])
    for _, method in ipairs(sorted_keys(methods(found))) do add(list, name .. ":" .. method,
      methods(found)[method], "method") end
  end
  for _, method in ipairs(sorted_keys(engine.tensor_methods)) do add(list, "x:" .. method,
    engine.tensor_methods[method], "method") end
  for _, method in ipairs(sorted_keys(engine.variable_methods)) do add(list, "v:" .. method,
    engine.variable_methods[method], "method") end
end

--- All targets of this process, where what has been loaded may add to them:
-- `{ {text =, parameters =, kind =}, ... }`.
function targets.here()
  local list = {}
  for _, name in ipairs(namespace.names(cusp)) do
    local value = cusp[name]
    add_member(list, "cusp." .. name, value)
  end
  for _, space in ipairs(spaces) do
    for _, name in ipairs(namespace.names(cusp[space])) do
      if not left_out[name] then add_member(list, ("cusp.%s.%s"):format(space, name),
        cusp[space][name]) end
    end
  end
  for _, name in ipairs(namespace.names(cusp.optimizers.schedules)) do
    add_member(list, "cusp.optimizers.schedules." .. name, cusp.optimizers.schedules[name])
  end
  for _, name in ipairs(sorted_keys(methods(cusp.data.Dataset))) do
    if name:find "^from_" or name == "range" or name == "zip" or name == "load" or name == "random"
      or name == "list_files" then
      add(list, "cusp.data.Dataset." .. name, cusp.data.Dataset[name], "function")
    end
  end
  add_operations(list)
  add_objects(list)
  return list
end

--- All targets by kind ("class", "function", "method", "operation"), of a process of its own: one
-- seed stands for the same calls wherever it is drawn from.
function targets.all()
  local output, death = child.run({"scripts/fuzz/call_list.lua"}, {seconds = 120})
  assert(not death, output)
  local list
  for line in output:gmatch "[^\n]+" do list = line end
  list = cusp.json.decode(list)
  local kinds = {count = #list}
  for _, target in ipairs(list) do
    kinds[target.kind] = kinds[target.kind] or {}
    table.insert(kinds[target.kind], target)
  end
  return kinds
end

return targets
