--- What kind of file a path names, and models from files.
-- @module cusp.commands.machinery.files
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"

local files = {}
local disk = engine.files

--- The option of every command that loads models.
files.require_option = {"require", "texts", value = "SCRIPT.lua",
  about = "run a script first that defines the model's own classes"}

local HDF5, ZIP = "\137HDF\r\n\26\n", "PK"

local function first_bytes(path)
  local reader <close> = disk.open(path)
  return reader:read(0, math.min(reader.size, 8))
end

local function kind_of_hdf5(path)
  local file <close> = require("cusp.saving.shared.stored").open(path)
  local root = file.root
  if root.attributes:get "model_config" ~= nil then return {kind = "model", format = "h5"} end
  if root.attributes:get "layer_names" ~= nil then return {kind = "weights", format = "h5"} end
  if require("cusp.saving.keras3.weights").is_layout(root) then
    return {kind = "weights", format = "weights.h5"}
  end
  return {kind = "tensors", format = "h5"}
end

local function kind_of_zip(path)
  local archive <close> = require("cusp.formats.zip").open(path)
  if archive:has "config.json" then return {kind = "model", format = "keras"} end
  return {kind = "tensors", format = "npz"}
end

local function kind_of_folder(path)
  if disk.exists(path .. "/config.json") then return {kind = "model", format = "keras"} end
  if disk.exists(path .. "/saved_model.pb") then return {kind = "model", format = "SavedModel"} end
  if disk.exists(path .. "/checkpoint") then return {kind = "weights", format = "checkpoint"} end
  errors.raise("%s is a folder, but neither a model nor a checkpoint", path)
end

local by_extension = {
  json = {kind = "configuration", format = "json"},
  yaml = {kind = "configuration", format = "yaml"}, yml = {kind = "configuration", format = "yaml"},
  safetensors = {kind = "weights", format = "safetensors"},
  npy = {kind = "tensors", format = "npy"}, onnx = {kind = "model", format = "onnx"},
}

--- What a file holds.
-- @tparam string path
-- @treturn table `kind`: "model", "configuration", "weights" or "tensors"; `format`
-- @raise if it does not exist or is none of these
function files.kind(path)
  if disk.is_directory(path) then return kind_of_folder(path) end
  if not disk.exists(path) then
    if disk.exists(path .. ".index") then return {kind = "weights", format = "checkpoint"} end
    errors.raise("there is no file '%s'", path)
  end
  local bytes = first_bytes(path)
  if bytes == HDF5 then return kind_of_hdf5(path) end
  if bytes:sub(1, 2) == ZIP then return kind_of_zip(path) end
  local extension = plain.lower(path:match "%.([^./]+)$" or "")
  if by_extension[extension] then return by_extension[extension] end
  errors.raise("%s is no file of a model: expected .keras, .h5, .weights.h5, .safetensors, .json, "
    .. ".yaml, .onnx, a checkpoint or a SavedModel folder", path)
end

--- Runs the scripts that define classes.
-- @tparam ?{string,...} paths
function files.run_scripts(paths)
  for _, path in ipairs(paths or {}) do
    local chunk, problem = loadfile(path)
    if not chunk then errors.raise("--require: %s", problem) end
    chunk()
  end
end

local function read_text(path)
  local reader <close> = disk.open(path)
  return reader:read(0, reader.size)
end

-- At the shell, a script defines what a program would pass as `custom_objects`.
local function with_advice(ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) ~= "string" then error(problem, 0) end
  errors.raise("%s", (problem:gsub("; if it is one of yours, .*",
    "; --require SCRIPT.lua runs a script that defines it")))
end

-- That a file was never compiled is no news where nothing is trained.
local function load_model(path, compile)
  local list, model = require("cusp.base.warnings").collect(function()
    return with_advice(engine.attempt(require("cusp.models").load_model, path,
      {compile = compile ~= false}))
  end)
  for _, text in ipairs(list) do
    if not text:find("has no training_config", 1, true) then
      require("cusp.base.warnings").warn("%s", text)
    end
  end
  return model
end

--- Loads weights into a model; of a checkpoint, what a model has no use for is passed over.
function files.load_weights(model, path)
  local status = model:load_weights(path)
  if type(status) == "table" and status.expect_partial then status:expect_partial() end
end

--- The model of a file.
-- @tparam string path of a whole model or a configuration
-- @tparam[opt] table kind as from `files.kind`
-- @tparam[opt=true] boolean compile
-- @treturn Model
-- @raise for files without an architecture
function files.model(path, kind, compile)
  kind = kind or files.kind(path)
  local models = require "cusp.models"
  if kind.format == "onnx" then return require("cusp.onnx").load(path) end
  if kind.kind == "model" then return load_model(path, compile) end
  if kind.kind == "configuration" then
    local read = kind.format == "json" and models.model_from_json or models.model_from_yaml
    local ok, model = engine.attempt(read, read_text(path))
    if not ok then errors.raise("%s: %s", path, model) end
    return model
  end
  errors.raise("%s holds %s only, without an architecture%s", path,
    kind.kind == "weights" and "weights" or "tensors",
    kind.kind == "weights" and "; --model FILE says which model they are for" or "")
end

--- The model of a file, with weights from another where they are given.
-- @tparam string path
-- @tparam ?string weights the path of a file of weights
-- @treturn Model
function files.model_with_weights(path, weights)
  local kind = files.kind(path)
  local model = files.model(path, kind)
  if weights then files.load_weights(model, weights)
  elseif kind.kind == "configuration" then
    errors.raise("%s holds an architecture without weights; --weights FILE gives them", path)
  end
  return model
end

--- The tensors of a file by name.
-- @tparam string path
-- @tparam table kind
-- @treturn {{name=string,shape=table,dtype=string,value=tensor},...} sorted by name
function files.tensors(path, kind)
  local list = require("cusp.commands.machinery.contents").of(path, kind)
  plain.sort(list, function(a, b) return plain.less(a.name, b.name) end)
  return list
end

return files
