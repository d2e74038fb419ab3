--- Whole models as `.keras` archives: config.json, metadata.json and model.weights.h5, as in Keras
-- 3. Reads archives of Keras 3 and of tf.keras 2.12 to 2.15. Also supports a folder of these three
-- files.
-- @module cusp.saving.keras3.archive

local assets = require "cusp.saving.keras3.assets"
local configuration = require "cusp.saving.configuration"
local deferred = require "cusp.base.deferred"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local keras2_settings = require "cusp.saving.shared.settings"
local keras3_weights = require "cusp.saving.keras3.weights"
local kinds = require "cusp.base.kinds"
local optimizer_state = require "cusp.saving.shared.optimizer_state"
local ordered = require "cusp.base.ordered"
local stored = require "cusp.saving.shared.stored"
local whole_file = require "cusp.base.whole_file"

local archive = {}

local CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
local KERAS_VERSION = "3.15.1" -- the version whose form of config.json is written

---------------------------------------------------------------- writing

local function config_text(model, include_optimizer)
  local config = configuration.of_model(model, {format = "keras3"})
  if include_optimizer == false then ordered.set(config, "compile_config", nil)
  else configuration.has_compile(model) end -- which warns where it is left out
  return json.encode(config)
end

local function metadata_text(model)
  local settings = keras2_settings.of(model)
  return json.encode(ordered.object({
    keras_version = KERAS_VERSION, date_saved = os.date "%Y-%m-%d@%H:%M:%S",
    cusp_optimizer = settings and ordered.object(settings),
  }, {"keras_version", "date_saved"}))
end

local function new_weights(path, model, include_optimizer)
  local file = require("cusp.formats.hdf5").create(path)
  local ok, message = pcall(keras3_weights.write, file.root, model, include_optimizer)
  if ok then return file end
  file:abort()
  error(message, 0)
end

--- Writes a model as a folder.
local function write_folder(path, model, include_optimizer)
  local config = config_text(model, include_optimizer)
  engine.files.make_directories(path)
  new_weights(path .. "/" .. WEIGHTS, model, include_optimizer):close()
  for name, text in pairs{[CONFIG] = config, [METADATA] = metadata_text(model)} do
    whole_file.write(path .. "/" .. name, text)
  end
  assets.save(model, function(name, text)
    engine.files.make_directories((path .. "/" .. name):match "^(.*)/")
    whole_file.write(path .. "/" .. name, text)
  end)
end

--- Writes a model as an archive. The temporary weights file is copied into the archive and never
-- synced.
local function write_zip(path, model, include_optimizer)
  local config = config_text(model, include_optimizer)
  local writer <close> = require("cusp.formats.zip").create(path)
  writer:add(METADATA, metadata_text(model))
  writer:add(CONFIG, config)
  new_weights(path, model, include_optimizer):lend(function(weights)
    writer:add_file(WEIGHTS, weights)
  end)
  assets.save(model, function(name, text) writer:add(name, text) end)
  writer:close()
end

--- Writes a model.
-- @tparam string path
-- @tparam Model model
-- @tparam[opt] table options `include_optimizer` (true); `zipped` (true): false for a folder
-- @raise if part of the model has no configuration, naming the class and what to write
function archive.write(path, model, options)
  options = options or {}
  if options.zipped == false then return write_folder(path, model, options.include_optimizer) end
  write_zip(path, model, options.include_optimizer)
end

---------------------------------------------------------------- reading

--- What an archive or folder holds: `path`, `text(name)`, `weights()` gives the path of the HDF5
-- file, `names()` lists the members, `close()`.
local function open_zip(path)
  local zip = require("cusp.formats.zip").open(path)
  local has = {}
  for _, name in ipairs(zip:names()) do has[name] = true end
  return {
    path = path, has = function(name) return has[name] end,
    names = function() return zip:names() end,
    text = function(name) return zip:read(name) end,
    weights = function() return zip:extract(WEIGHTS) end,
    close = function() zip:close() end,
  }
end

local function open_folder(path)
  return {
    path = path, has = function(name) return engine.files.exists(path .. "/" .. name) end,
    names = function() return assets.names_below(path, "", {}) end,
    text = function(name)
      local reader <close> = engine.files.open(path .. "/" .. name)
      return reader:read(0, reader.size)
    end,
    weights = function() return path .. "/" .. WEIGHTS end,
    close = function() end,
  }
end

local function open(path)
  local source = engine.files.is_directory(path) and open_folder(path) or open_zip(path)
  return setmetatable(source, {__close = function(self) self.close() end})
end

local function read_config(source)
  if not source.has(CONFIG) then
    errors.raise("load_model: %s: has no %s: it is not a saved model", source.path, CONFIG)
  end
  local ok, config = engine.attempt(json.decode, source.text(CONFIG))
  if not ok then errors.raise("load_model: %s: %s: %s", source.path, CONFIG, config) end
  if not kinds.is_plain(config) then
    errors.raise("load_model: %s: %s: expected an object", source.path, CONFIG)
  end
  return config
end

--- The metadata of an archive, with the Keras version that wrote it; an empty table if it has none.
local function read_metadata(source)
  local ok, metadata = engine.attempt(function()
    return source.has(METADATA) and json.decode(source.text(METADATA))
  end)
  return ok and kinds.is_plain(metadata) and metadata or {}
end

--- Makes errors name the archive, not the temporary file with its weights.
local function naming(source, temporary, f, ...)
  local results = table.pack(engine.attempt(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local text = tostring(results[2])
  local first, last = text:find(temporary, 1, true)
  if first and temporary ~= source.path then
    text = text:sub(1, first - 1) .. source.path .. ": " .. WEIGHTS .. text:sub(last + 1)
  end
  error(text, 0)
end

--- Pairs the weights of an archive with a built model's variables, and assigns them.
local function restore(model, contents, options)
  local plan = keras3_weights.match(contents, model, options)
  local done = plan:run()
  local optimizer = model.compiled and model.optimizer
  if optimizer and optimizer.built and done[optimizer_state.inner(optimizer).__own.iterations] then
    optimizer_state.complete(optimizer, done)
  end
end
archive.restore = restore

local function load_open(model, path, source, options)
  local file <close> = stored.open(path)
  local contents = keras3_weights.read(path == source.path and path
    or source.path .. ": " .. WEIGHTS, file.root)
  if not deferred.is_built(model) then keras3_weights.keep(contents) end
  return deferred.when_built(model, function() restore(model, contents, options) end, source.path)
end

local function load_weights(model, source, options)
  if not source.has(WEIGHTS) then
    errors.raise("%s: has no %s%s", source.path, WEIGHTS,
      source.has "model.weights.npz"
      and "; weights as .npz are not read: save it again with weights_format = \"h5\"" or "")
  end
  local path = source.weights()
  return naming(source, path, load_open, model, path, source, options)
end

--- Loads the weights of an archive into a model.
-- @tparam string path
-- @tparam Model model
-- @tparam[opt] table options `skip_mismatch`
-- @treturn boolean whether the model was built; if not, its weights are set when it is
function archive.load_weights(path, model, options)
  local source <close> = open(path)
  return load_weights(model, source, options)
end

--- Reads a model.
-- @tparam string path
-- @tparam[opt] table options `custom_objects`; `compile` (true)
-- @treturn Model
-- @raise naming the file and the position
function archive.read(path, options)
  options = options or {}
  local source <close> = open(path)
  local config = read_config(source)
  local metadata = read_metadata(source)
  local ok, model = engine.attempt(configuration.to_model, config, {
    custom_objects = options.custom_objects, compile = options.compile,
    keras_version = metadata.keras_version,
  })
  if not ok then errors.raise("load_model: %s: %s: %s", path, CONFIG, tostring(model)) end
  keras2_settings.restore(model, metadata.cusp_optimizer)
  assets.load(source, model)
  load_weights(model, source)
  return model
end

return archive
