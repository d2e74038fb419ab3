--- `Model:export`: what a model predicts, for other runtimes.
-- @module cusp.models.export
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local progress = require "cusp.base.progress"
local rooms = require "cusp.base.rooms"

-- The way to each of Keras's formats that is not written here.
local ways = {
  tf_saved_model = 'save "m.keras", and let Keras export it',
  openvino = 'export "m.onnx", which OpenVINO reads as it is',
  litert = 'export "m.onnx", which onnx2tf turns into LiteRT',
  torch = 'save "m.keras", and let Keras export it with PyTorch',
}

local endings = {onnx = "onnx", tflite = "litert", litert = "litert", pb = "tf_saved_model",
  xml = "openvino", bin = "openvino", pt2 = "torch"}

local methods = {c = "export_c", keras = "save", h5 = "save", hdf5 = "save",
  ["weights.h5"] = "save_weights"}

local function refuse(path, format)
  errors.raise('export: %s: format "%s" cannot be written, only "onnx"; %s', path, format,
    ways[format])
end

local function check_format(path, format)
  local ending = plain.lower(path):match "%.(%w+)$"
  format = format or endings[ending]
  if format == "onnx" then return end
  if format then refuse(path, format) end
  if plain.lower(path):find "%.weights%.h5$" then ending = "weights.h5" end
  if methods[ending] then
    errors.raise('export: %s: expected a name that ends in .onnx; model:%s writes .%s files', path,
      methods[ending], ending)
  end
  errors.raise('export: %s: expected a name that ends in .onnx, or format = "onnx"; '
    .. 'Keras\'s default format, "tf_saved_model", cannot be written: %s', path,
    ways.tf_saved_model)
end

--- Writes a model.
-- @tparam Model model
-- @tparam table given the arguments of `Model:export` by name
return function(model, given)
  local path = given.filepath
  check_format(path, given.format)
  if given.input_signature ~= nil then
    errors.raise("export: %s: an input_signature cannot be given; inputs have the shapes that "
      .. "cusp.Input says, and sizes that are None stay open", path)
  end
  rooms.get("onnx").export(model, path, {opset = given.opset_version or given.opset,
    external_data = given.external_data})
  if given.verbose then progress.say("Saved artifact at '%s'.", path) end
end
