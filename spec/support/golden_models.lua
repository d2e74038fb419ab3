-- The reference models written by released Keras versions: their files, the classes they need, and
-- their predictions. Those in spec/fixtures/models always; all of them if ../shared/golden/models
-- exists.
local cases = require "spec.support.cases"
local cusp = require "cusp"
local text_files = require "spec.support.text_files"

local golden_models = {}

--- The classes of the tutorial's models.
function golden_models.custom_objects()
  local layers = cusp.layers
  local MyLayer = layers.Layer:extend "MyLayer"
  function MyLayer:init(args)
    self.output_dim = args.output_dim or args[1] or 10
    layers.Layer.init(self, args)
  end
  function MyLayer:build(shape)
    self.kernel = self:add_weight{name = "kernel", shape = {shape[2], self.output_dim},
      initializer = "uniform", trainable = true}
  end
  function MyLayer:call(inputs) return cusp.ops.matmul(inputs, self.kernel) end
  local MyModel = cusp.Model:extend "MyModel"
  function MyModel:init(args)
    cusp.Model.init(self, args)
    self.num_classes = args.num_classes or 10
    self.dense_1 = layers.Dense{32, activation = "relu"}
    self.dense_2 = layers.Dense{self.num_classes, activation = "sigmoid"}
  end
  function MyModel:call(inputs) return self.dense_2(self.dense_1(inputs)) end
  return {MyLayer = MyLayer, MyModel = MyModel}
end

local function lines_of(command)
  local pipe, result = assert(io.popen(command)), {}
  for line in pipe:lines() do result[#result + 1] = line end
  pipe:close()
  return result
end

local exists = text_files.exists

local function json_of(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return cusp.json.decode(text)
end

--- The folders with models: the fixtures, and the whole collection if it exists.
function golden_models.roots()
  local roots = {"spec/fixtures/models"}
  if exists "../shared/golden/models/README.md" then roots[2] = "../shared/golden/models" end
  return roots
end

-- The folder whose io.json has the predictions of a file's model.
local function reference_of(root, path)
  local folder, file = ("./" .. path):match "^(.*)/([^/]+)$"
  if exists(root .. "/" .. folder .. "/io.json") then return folder end
  local name = file:match "^([%w_]+)%."
  return name and exists(root .. "/" .. name .. "/io.json") and name or nil
end

--- Files below a root: `path` relative to it, `reference`: the folder whose io.json has the
-- predictions.
function golden_models.files(root, pattern)
  local result = {}
  for _, line in ipairs(lines_of(("cd '%s' && find . -type f | LC_ALL=C sort"):format(root))) do
    local path = line:sub(3)
    if path:find(pattern) then
      result[#result + 1] = {path = path, reference = reference_of(root, path)}
    end
  end
  return result
end

local function only(list) return #list == 1 and list[1] or list end

local read = {}

--- A model's inputs and predictions: `inputs`, `outputs` by the version that wrote the file.
function golden_models.io(root, file)
  local path = root .. "/" .. file.reference .. "/io.json"
  local data = read[path] or json_of(path)
  read[path] = data
  local version = file.path:find "k3" and "k3" or "tf2"
  local expected = data.expected[version] or select(2, next(data.expected))
  return only(cases.convert(data.inputs)), expected.outputs
end

local function training_case(root, folder)
  local path = root .. "/" .. folder .. "/training.json"
  if not exists(path) then return nil end
  read[path] = read[path] or json_of(path)
  return read[path]
end

--- The inputs of a training run; nil if there is none.
function golden_models.training(root, file)
  local case = training_case(root, file.reference)
  local source = case and (case.data and case or training_case(root, case.data_from))
  if not source then return nil end
  local x, y = only(cases.convert(source.data.x)), cases.convert(source.data.y)
  return {x = x, y = #y > 0 and only(y) or y, batch_size = case.fit.batch_size, case = case}
end

function golden_models.flat(outputs)
  if type(outputs) == "userdata" then return {outputs} end
  if #outputs > 0 then return outputs end
  local keys, result = {}, {}
  for key in pairs(outputs) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do result[i] = outputs[key] end
  return result
end

--- Raises if outputs differ from the predictions.
function golden_models.check(outputs, wanted, what)
  for i, output in ipairs(golden_models.flat(outputs)) do
    cases.compare(output, wanted[i], {atol = 1e-5, rtol = 1e-4}, ("%s, output %d"):format(what, i))
  end
end

--- Raises if two lists of outputs are not equal bit for bit.
function golden_models.check_same(first, second, what)
  first, second = golden_models.flat(first), golden_models.flat(second)
  for i, tensor in ipairs(first) do
    assert(tensor:tobytes() == second[i]:tobytes(), ("%s, output %d differs"):format(what, i))
  end
end

return golden_models
