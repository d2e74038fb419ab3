--- Models as C programs see them: loaded from any file, with inputs and outputs in a row
-- @module cusp.host.models
local errors = require "cusp.base.errors"
local shapes = require "cusp.base.shape"

local models = {}

--- Loads a model.
-- @tparam string path of a file or folder that `load_model` reads, or of a `.onnx` file
-- @treturn Model
function models.load(path)
  if path:lower():find "%.onnx$" then return require("cusp.onnx").load(path) end
  return require("cusp.saving").load_model(path)
end

--- Saves a model, in the format that the path names.
-- @tparam Model model
-- @tparam string path
function models.save(model, path)
  if path:lower():find "%.onnx$" then return require("cusp.onnx").export(model, path) end
  model:save(path)
end

--- Raises if a value is no model.
-- @param value
-- @tparam string name of the global that has it
-- @return the value
function models.check(value, name)
  if type(value) == "table" and value.__is_model then return value end
  errors.raise("the global '%s' should be a model, got %s", name, errors.describe(value))
end

local function sizes(shape)
  local result = {}
  for axis, size in ipairs(shape) do result[axis] = size == shapes.None and -1 or size end
  return result
end

local function describe(tensors, names)
  local list = {}
  for i, tensor in ipairs(tensors) do
    list[i] = {name = names and names[i] or tensor.name, dtype = tensor.dtype,
      shape = sizes(tensor.shape)}
  end
  return list
end

--- The inputs and outputs of a model, in their order; both are empty where its class alone knows.
-- @tparam Model model
-- @treturn {table,...} `name`, `dtype`, `shape` (-1: any size) of each input
-- @treturn {table,...} the same of each output
function models.describe(model)
  if not model.__own.graph then return {}, {} end
  return describe(model.inputs), describe(model.outputs, model.output_names)
end

return models
