--- Writes logs for TensorBoard: `tensorboard --logdir logs`. The runs `train` and `validation` in
-- the log folder get the following, counted as in Keras (epochs from 0, batches from 1):
--
--   epoch_NAME                      the loss, each metric and the learning rate after an epoch
--   evaluation_NAME_vs_iterations   each evaluation, by the optimizer's steps (validation)
--   batch_NAME                      every `update_freq` batches
--   LAYER/WEIGHT_0/histogram        each weight, every `histogram_freq` epochs
--   LAYER/WEIGHT_0/image            the weights as images, with `write_images`
--   keras, and a graph              functional and sequential models, with `write_graph`
--   plugins/profile                 the profile page, of the batches of `profile_batch`
--
-- A log folder that cannot be written is an error before training begins. If writing fails later (a
-- full disk), a warning names the file, and training continues without it.
--
-- Like Keras's class, but histograms have tf.keras 2 names, to match older logs.
-- @classmod cusp.callbacks.TensorBoard
-- @tparam[opt="logs"] string log_dir
-- @tparam[opt=0] integer histogram_freq epochs between histograms of the weights; 0: never
-- @tparam[opt=true] boolean write_graph
-- @tparam[opt=false] boolean write_images whether to write weights as images too, as often as
-- histograms
-- @tparam[opt=false] boolean write_steps_per_second
-- @tparam[opt="epoch"] string|integer update_freq "epoch", "batch", or the number of batches
-- between writes
-- @tparam[opt=0] integer|table|string profile_batch a batch, or the first and last one, counted
-- from 1 through all epochs; 0: none
-- @tparam[opt=0] integer embeddings_freq epochs between writes of Embedding vectors for the
-- projector; 0: never
-- @tparam[opt] string|table embeddings_metadata file of labels, or a table from layer names to
-- files, relative to the log folder
-- @usage local board = callbacks.TensorBoard{log_dir = "logs/first", histogram_freq = 1}
-- model:fit{x, y, epochs = 5, callbacks = {board}}
local Callback = require "cusp.callbacks.callback"
local Object = require "cusp.base.class"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local ordered = require "cusp.base.ordered"
local plain = require "cusp.base.plain"
local profiler = require "cusp.profiler"
local warnings = require "cusp.base.warnings"
local whole_file = require "cusp.base.whole_file"

local TensorBoard = Callback:extend("TensorBoard", {
  writes = true,
  config = {
    {"log_dir", "string", default = "logs"},
    {"histogram_freq", "integer", default = 0, min = 0},
    {"write_graph", "boolean", default = true},
    {"write_images", "boolean", default = false},
    {"write_steps_per_second", "boolean", default = false},
    {"update_freq", "any", default = "epoch"},
    {"profile_batch", "any", default = 0},
    {"embeddings_freq", "integer", default = 0, min = 0},
    {"embeddings_metadata", "any", optional = true},
  },
})

local function warn(format, ...) warnings.warn("TensorBoard: " .. format, ...) end

local function check_update_freq(value)
  if value == "epoch" then return value end
  if value == "batch" then return 1 end
  if math.type(value) == "integer" and value > 0 then return value end
  errors.raise(
    'TensorBoard: argument \'update_freq\' should be "epoch", "batch" or a positive integer, got '
    .. '%s', errors.describe(value))
end

-- The first and last batch to profile, in any of Keras's forms: 5, {5, 10}, "5,10".
local function check_profile_batch(value)
  local given = value
  if type(value) == "string" then
    local first, last = value:match "^%s*(%d+)%s*,%s*(%d+)%s*$"
    value = first and {math.tointeger(first), math.tointeger(last)} or math.tointeger(value)
  end
  if math.type(value) == "integer" then value = {value, value} end
  local first, last = table.unpack(type(value) == "table" and #value == 2 and value or {})
  if math.type(first) ~= "integer" or math.type(last) ~= "integer" or first < 0 or last < first then
    errors.raise(
      "TensorBoard: argument 'profile_batch' should be a batch, or the first and the last one, "
      .. "got %s", errors.describe(given))
  end
  return first, last
end

function TensorBoard:init(args)
  self:configure(args, TensorBoard)
  self.update_freq = check_update_freq(self.update_freq)
  self._first_profiled, self._last_profiled = check_profile_batch(self.profile_batch)
  local metadata = self.embeddings_metadata
  if metadata ~= nil and type(metadata) ~= "string" and type(metadata) ~= "table" then
    errors.raise(
      "TensorBoard: argument 'embeddings_metadata' should be a file or a table of files by layer, "
      .. "got %s",
      errors.describe(metadata))
  end
  self._runs = {}
  -- Defines batch hooks only if needed: without any, the engine runs the batches of an epoch.
  if self.update_freq ~= "epoch" or self._last_profiled > 0 then
    self.on_train_batch_begin, self.on_train_batch_end = TensorBoard.begin_batch,
      TensorBoard.end_batch
  end
end

---------------------------------------------------------------- runs

-- Writes to a run, "train" or "validation", and creates its file on first use. Gives up a file that
-- cannot be written.
local function write(self, run, method, ...)
  local writer = self._runs[run]
  if writer == false then return end
  local ok, message = true, nil
  if not writer then
    ok, writer = engine.attempt(require("cusp.summary").create_file_writer,
      self.log_dir .. "/" .. run)
    if not ok then message = writer else self._runs[run] = writer end
  end
  if ok then ok, message = engine.attempt(writer[method], writer, ...) end
  if ok then return end
  self._runs[run] = false
  warn("%s; training continues without the logs of '%s'", plain.tostring(message), run)
end

function TensorBoard:set_model(model)
  self.model = model
  self._runs = {}
  self:stop_profile(false)
end

-- Warns and skips a part of the model that cannot be written; its numbers are still written.
local function attempt(self, what, f, ...)
  local ok, result = engine.attempt(f, ...)
  if ok then return result end
  warn("cannot write the %s of '%s': %s", what, self.model.name, plain.tostring(result))
end

local function write_model(self)
  local model = self.model
  if not self.write_graph or not model.built then return end
  local text = model.__own.graph
    and attempt(self, "configuration", model.to_json, model, {format = "keras3"})
  if text then write(self, "train", "keras_model", "keras", text) end
  local graph = attempt(self, "graph", require("cusp.summary.graph").of_model, model)
  if graph then write(self, "train", "graph", graph) end
end

function TensorBoard:on_train_begin()
  self._batches = 0
  self._runs.train = require("cusp.summary").create_file_writer(self.log_dir .. "/train")
  write_model(self)
  if self.embeddings_freq > 0 then self:configure_embeddings() end
end

function TensorBoard:on_train_end()
  self:stop_profile(true)
  for run, writer in pairs(self._runs) do
    if writer then writer:close() end
    self._runs[run] = nil
  end
end

---------------------------------------------------------------- profiles

-- From batch 0 means from the first.
function TensorBoard:profile_begin()
  if self._batches == math.max(self._first_profiled, 1) then
    if profiler.is_running() then
      warn "a profile is being recorded already; the batches of profile_batch get none of their own"
      return
    end
    profiler.start(self.log_dir .. "/train")
    self._profiling = true
  end
  if self._profiling then
    self._span = profiler.Trace{"train", step_num = self._batches}
  end
end

function TensorBoard:profile_end()
  if self._span then self._span:close() end
  if self._batches >= self._last_profiled then self:stop_profile(true) end
end

--- Ends the profile that this callback began, if there is one.
-- @tparam boolean save whether it is written
function TensorBoard:stop_profile(save)
  if not self._profiling then return end
  self._profiling, self._span = nil, nil
  if not profiler.is_running() then return end
  local ok, message = engine.attempt(profiler.stop, save)
  if not ok then warn("%s; training continues without the profile", plain.tostring(message)) end
end

---------------------------------------------------------------- numbers

local function names_of(logs) return ordered.keys(logs or {}) end

function TensorBoard:begin_batch()
  self._batches = self._batches + 1
  if self._last_profiled > 0 then self:profile_begin() end
  self._batch_started = engine.monotonic()
end

function TensorBoard:end_batch(_, logs)
  if self._profiling then self:profile_end() end
  if self.update_freq == "epoch" or self._batches % self.update_freq ~= 0 then return end
  if self.write_steps_per_second then
    write(self, "train", "scalar", "batch_steps_per_second",
      1 / (engine.monotonic() - self._batch_started), self._batches)
  end
  for _, name in ipairs(names_of(logs)) do
    write(self, "train", "scalar", "batch_" .. name, logs[name], self._batches)
  end
end

function TensorBoard:on_test_end(logs)
  local optimizer = self.model.optimizer
  local iterations = optimizer and optimizer.iterations
  if not iterations then return end
  for _, name in ipairs(names_of(logs)) do
    write(self, "validation", "scalar", ("evaluation_%s_vs_iterations"):format(name), logs[name],
      iterations:item())
  end
end

function TensorBoard:on_epoch_begin()
  if not self.write_steps_per_second then return end
  self._epoch_iterations, self._epoch_started = self.model.optimizer.iterations:item(),
    engine.monotonic()
end

local function current_rate(optimizer)
  local rate = (optimizer.inner_optimizer or optimizer).learning_rate
  return type(rate) == "userdata" and rate:item() or type(rate) == "number" and rate or nil
end

local function write_epoch(self, epoch, logs)
  local names = names_of(logs)
  if #names == 0 then return end
  for _, name in ipairs(names) do
    if not name:find "^val_" then
      write(self, "train", "scalar", "epoch_" .. name, logs[name], epoch)
    end
  end
  local rate = current_rate(self.model.optimizer)
  if rate and logs.learning_rate == nil then
    write(self, "train", "scalar", "epoch_learning_rate", rate, epoch)
  end
  if self.write_steps_per_second then
    local steps = self.model.optimizer.iterations:item() - self._epoch_iterations
    write(self, "train", "scalar", "epoch_steps_per_second",
      steps / (engine.monotonic() - self._epoch_started), epoch)
  end
  for _, name in ipairs(names) do
    local own = name:match "^val_(.*)$"
    if own then write(self, "validation", "scalar", "epoch_" .. own, logs[name], epoch) end
  end
end

function TensorBoard:on_epoch_end(epoch, logs)
  local counted = epoch - 1 -- steps in files count as Keras's
  write_epoch(self, counted, logs)
  if self.histogram_freq > 0 and counted % self.histogram_freq == 0 then
    self:write_weights(counted)
  end
  if self.embeddings_freq > 0 and counted % self.embeddings_freq == 0 then
    self:write_embeddings(counted)
  end
end

---------------------------------------------------------------- weights

-- "dense/kernel_0" for "sequential/dense/kernel": starts at the layer's own name and adds the
-- number that tf.keras 2 puts at the end.
local function tag_of(layer, weight)
  local path = weight.path or weight.name
  local from = (" /" .. path):find("/" .. layer.name .. "/", 1, true)
  return (from and path:sub(from - 1) or layer.name .. "/" .. path) .. "_0"
end

-- A weight as images `[images, height, width, channels]`: a matrix lies with its larger axis
-- horizontal; for three axes, one image per index of the last.
local function picture_of(weight)
  local rows = engine.ops
  local data = rows.squeeze(weight)
  local shape = data.shape
  if #shape == 1 then return rows.reshape(data, {1, shape[1], 1, 1}) end
  if #shape == 2 then
    if shape[1] > shape[2] then data = rows.transpose(data) end
    return rows.reshape(data, {1, data.shape[1], data.shape[2], 1})
  end
  if #shape == 3 then
    if require("cusp.base.config").image_data_format() == "channels_last" then
      data = rows.transpose(data, {3, 1, 2})
    end
    return rows.expand_dims(data, -1)
  end
  if #shape == 4 and (shape[4] == 1 or shape[4] == 3 or shape[4] == 4) then return data end
end

--- Writes histograms of all weights, and images of them with `write_images`.
-- @tparam integer step
function TensorBoard:write_weights(step)
  local weights, values, tags = {}, {}, {}
  for _, layer in ipairs(self.model.layers) do
    for _, weight in ipairs(layer.weights) do
      weights[#weights + 1], values[#values + 1], tags[#tags + 1] = weight, weight.value,
        tag_of(layer, weight)
    end
  end
  local histograms = require("cusp.summary.histogram").of_all(values)
  for i, weight in ipairs(weights) do
    write(self, "train", "write_histogram", tags[i] .. "/histogram", histograms[i], step)
    local picture = self.write_images and picture_of(weight)
    if picture then write(self, "train", "image", tags[i] .. "/image", picture, step) end
  end
end

---------------------------------------------------------------- embeddings

local function embedding_layers(self)
  local Embedding = require("cusp.layers").Embedding
  local found, with_weights = {}, 0
  for _, layer in ipairs(self.model.layers) do
    if Object.is_instance(layer, Embedding) then
      found[#found + 1] = {
        layer = layer, tensor_path =
        ("train/%s_embeddings.tsv"):format((layer.name:gsub("[^%w_.%-]", "_"))),
        -- its name in tf.keras checkpoints, which TensorBoard shows
        tensor_name =
        ("layer_with_weights-%d/embeddings/.ATTRIBUTES/VARIABLE_VALUE"):format(with_weights),
      }
    end
    if #layer.weights > 0 then with_weights = with_weights + 1 end
  end
  return found
end

local function check_metadata(metadata, found)
  local known = {}
  for _, entry in ipairs(found) do known[entry.layer.name] = true end
  for name in pairs(metadata) do
    if not known[name] then
      errors.raise("TensorBoard: embeddings_metadata: the model has no Embedding layer '%s'%s",
        name, errors.suggestion(name, known))
    end
  end
end

--- Writes `projector_config.pbtxt`, which tells the projector where to find the vectors and labels.
-- @raise if `embeddings_metadata` names an unknown layer
function TensorBoard:configure_embeddings()
  local metadata = self.embeddings_metadata
  local found = embedding_layers(self)
  if type(metadata) == "table" then check_metadata(metadata, found) end
  local projector, embeddings = require "cusp.summary.projector", {}
  for i, entry in ipairs(found) do
    embeddings[i] = {
      tensor_name = entry.tensor_name, tensor_path = entry.tensor_path,
      metadata_path = type(metadata) == "table" and metadata[entry.layer.name]
      or type(metadata) == "string" and metadata or nil,
    }
  end
  engine.files.make_directories(self.log_dir)
  whole_file.write(self.log_dir .. "/projector_config.pbtxt", projector.config(embeddings))
  self._embeddings = found
end

--- Writes the vectors of the Embedding layers, and the model's weights beside them, as Keras does.
function TensorBoard:write_embeddings(step)
  local projector = require "cusp.summary.projector"
  for _, entry in ipairs(self._embeddings) do
    attempt(self, ("embedding %s"):format(entry.layer.name), function()
      whole_file.write(self.log_dir .. "/" .. entry.tensor_path,
        projector.vectors(entry.layer.embeddings.value))
    end)
  end
  local path = ("%s/train/keras_embedding.ckpt-%d.weights.h5"):format(self.log_dir, step)
  attempt(self, "checkpoint", self.model.save_weights, self.model, path)
end

return TensorBoard
