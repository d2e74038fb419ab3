--- TensorFlow's checkpoints: weights and optimizer state by the object graph, as tf.keras's
-- `save_weights` writes them.
-- @module cusp.saving.checkpoint

local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local files = engine.files

local checkpoint = {}

local function module(name) return require("cusp.saving.checkpoint." .. name) end

local function check_prefix(f, prefix)
  if type(prefix) ~= "string" or prefix == "" then
    errors.raise("%s: expected the path of a checkpoint, got %s", f, errors.describe(prefix))
  end
  return (prefix:gsub("%.index$", ""))
end

--- The prefix for a path: the path itself, or the latest checkpoint of a folder.
local function find(f, path)
  local prefix = check_prefix(f, path)
  if files.exists(prefix .. ".index") or not files.is_directory(prefix) then return prefix end
  local latest = module("state_file").latest(prefix)
  if not latest then
    errors.raise("%s: the folder %s has no file 'checkpoint' that names one", f,
      prefix)
  end
  return latest
end

local function check_model(f, model)
  if type(model) ~= "table" then
    errors.raise("%s: expected a model, a layer or a table of them, got %s", f,
      errors.describe(model))
  end
end

--- Whether a checkpoint exists at a path.
-- @tparam string path
-- @treturn boolean
function checkpoint.exists(path)
  return type(path) == "string" and path ~= "" and files.exists(path .. ".index")
end

--- Writes a model's weights with the state of its optimizer: `PATH.index`,
-- `PATH.data-00000-of-00001`, and beside them `checkpoint`, which names the latest. An existing
-- checkpoint is replaced atomically.
-- @tparam string path
-- @tparam Model|table model a model, a layer, or a table of these, of optimizers and of variables
-- by name, as in TensorFlow's `tf.train.Checkpoint(model = ..., optimizer = ...)`
-- @raise if a file cannot be written, naming it
function checkpoint.save(path, model)
  local prefix = check_prefix("save_weights", path)
  check_model("save_weights", model)
  if prefix:sub(-1) == "/" then
    errors.raise("save_weights: expected the path of a checkpoint, got that of a folder, %s", path)
  end
  module("save")(prefix, model)
  module("state_file").write(prefix)
end

local function read_graph(reader)
  local object_graph = module("object_graph")
  if not reader:entry(object_graph.key) then
    errors.raise(
      "%s: has tensors by name but no object graph, so nothing says where in a model they belong; "
      .. "cusp.saving.checkpoint.reader(path) reads them", reader.path)
  end
  local strings = reader:strings(object_graph.key)
  if #strings ~= 1 then
    errors.raise("%s: the object graph should be one string, there are %d", reader.path, #strings)
  end
  return object_graph.decode(strings[1], reader.path)
end

local function load_once(prefix, model, options)
  local reader <close> = module("bundle").open(prefix)
  local restoration = module("restore").new(reader, read_graph(reader), model, options)
  local ok, message = pcall(restoration.run, restoration)
  if not ok then
    restoration.failed = true
    error(message, 0)
  end
  return module("status").new(restoration)
end

local most_attempts = 10

--- Loads weights, and optimizer state if there is any, into objects with the same names. Unbuilt
-- objects get their values when they are built.
-- @tparam string path of a checkpoint, or of a folder, for its latest one
-- @tparam Model|table model as for `save`
-- @tparam[opt] table options `skip_mismatch`: skip variables of another shape, with a warning
-- @treturn Status
-- @raise if a file is damaged, a value does not have the variable's shape, or nothing fits; the
-- model is then unchanged
function checkpoint.load(path, model, options)
  check_model("load_weights", model)
  local prefix = find("load_weights", path)
  for attempt = 1, most_attempts do
    local written = files.modified(prefix .. ".index")
    local ok, result = engine.attempt(load_once, prefix, model, options or {})
    if ok then return result end
    -- A running training may have replaced the checkpoint after its index was read and before its
    -- data were.
    if attempt == most_attempts or files.modified(prefix .. ".index") == written then
      error(result, 0)
    end
  end
end

--- Opens any checkpoint for reading tensors by name: `names()`, `entry(name)` with `dtype` and
-- `shape`, `tensor(name)`, `strings(name)`, `close()`.
-- @tparam string path of a checkpoint or of a folder
-- @treturn Reader
function checkpoint.reader(path) return module("bundle").open(find("reader", path)) end

--- TensorFlow's `tf.train.list_variables`: the contents of a checkpoint.
-- @tparam string path
-- @treturn {table,...} sorted by name; each has the name first and the shape second, and `name`,
-- `shape`, `dtype`
function checkpoint.list_variables(path)
  local reader, result = checkpoint.reader(path), {}
  for i, name in ipairs(reader:names()) do
    local entry = reader:entry(name)
    local shape = table.move(entry.shape, 1, #entry.shape, 1, {})
    result[i] = {name, shape, name = name, shape = shape, dtype = entry.dtype}
  end
  return result
end

--- TensorFlow's `tf.train.load_variable`: one tensor, or the string or strings of a string tensor.
-- @tparam string path
-- @tparam string name
-- @return a tensor; a string; a list of strings
function checkpoint.load_variable(path, name)
  local reader <close> = checkpoint.reader(path)
  local entry = reader:entry(name)
  if not entry or entry.dtype ~= "string" then return reader:tensor(name) end
  local strings = reader:strings(name)
  return #entry.shape == 0 and strings[1] or strings
end

--- TensorFlow's `tf.train.latest_checkpoint`.
-- @tparam string folder
-- @treturn string|nil the prefix of the latest checkpoint
function checkpoint.latest_checkpoint(folder)
  if type(folder) ~= "string" then
    errors.raise("latest_checkpoint: expected the path of a folder, got %s",
      errors.describe(folder))
  end
  return module("state_file").latest(folder)
end

return checkpoint
