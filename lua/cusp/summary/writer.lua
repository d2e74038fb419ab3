--- Writes summaries for TensorBoard to an event file. Each method takes the arguments of Keras and
-- TensorFlow, by position or by name, and a `step`; the default is the step given to `as_default`.
-- The data is in the file when the method returns.
-- @classmod cusp.summary.SummaryWriter
-- @usage
-- local writer <close> = cusp.summary.create_file_writer "logs/run"
-- writer:scalar("loss", 0.25, {step = 1})
-- writer:image("digits", digits, {step = 1, max_outputs = 5})
-- writer:text("note", "learning rate **halved**", {step = 1})
local arguments = require "cusp.base.arguments"
local encode = require "cusp.summary.encode"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local EventFile = require "cusp.summary.event_file"
local protobuf = require "cusp.formats.protobuf"
local whole_file = require "cusp.base.whole_file"

local SummaryWriter = {__name = "SummaryWriter"}
SummaryWriter.__index = SummaryWriter

--- Makes a writer and its file.
-- @tparam string logdir folder; created if it does not exist
-- @tparam[opt=".v2"] string suffix of the file's name
-- @raise if the file cannot be created
function SummaryWriter.new(logdir, suffix)
  return setmetatable({logdir = logdir, file = EventFile.create(logdir, suffix)}, SummaryWriter)
end

function SummaryWriter:__tostring() return ("SummaryWriter(%s)"):format(self.file.path) end

local function check_step(owner, step, writer)
  step = step or writer.step
  if engine.is_tensor(step) or engine.is_variable(step) then step = step:item() end
  if type(step) == "number" and math.tointeger(step) then return math.tointeger(step) end
  if step == nil then
    errors.raise("%s: expected a step: %s(..., {step = 1}), or writer:as_default(step) before",
      owner, owner:match "[%w_]+$")
  end
  errors.raise("%s: argument 'step' should be an integer, got %s", owner, errors.describe(step))
end

local function to_tensor(owner, data)
  if engine.is_tensor(data) then return data end
  if engine.is_variable(data) then return data.value end
  if type(data) == "table" then return engine.tensor(data) end
  if type(data) == "number" then return engine.tensor(data) end
  errors.raise("%s: expected a tensor or nested lists of numbers, got %s", owner,
    errors.describe(data))
end

--- Writes a tensor message under a tag, for a plugin of TensorBoard.
-- @tparam string tag
-- @tparam table tensor fields of `tensorflow.TensorProto`
-- @tparam integer step
-- @tparam table metadata `plugin` (name), `content` (bytes), `description`, `display_name`
function SummaryWriter:write(tag, tensor, step, metadata)
  self.file:write{
    step = step,
    summary = {
      value = {
        {
          tag = tag,
          metadata = {
            plugin_data = {plugin_name = metadata.plugin, content = metadata.content or ""},
            display_name = metadata.display_name, summary_description = metadata.description,
          },
          tensor = tensor,
        },
      },
    },
  }
end

local name_and_data = {{"name", "string"}, {"data", "any"}}
local step_parameter = {"step", "any", optional = true}
local description_parameter = {"description", "string", optional = true}

-- Parameters in TensorFlow's order: name, data, those of the kind, with step and description at
-- their positions.
local function parameters(...) return {name_and_data[1], name_and_data[2], ...} end

local function binder(name, ...)
  return arguments.binder("summary." .. name, parameters(...), false)
end

local bind_scalar = binder("scalar", step_parameter, description_parameter)

--- Writes a number.
-- @tparam string name tag, slashes group
-- @tparam number|tensor data one number
-- @tparam[opt] integer step
-- @tparam[opt] string description Markdown
function SummaryWriter:scalar(...)
  local name, data, step, description = bind_scalar(...)
  if type(data) ~= "number" then data = to_tensor("summary.scalar", data) end
  if type(data) ~= "number" then
    if #data.shape > 0 then
      errors.raise("summary.scalar: '%s' should be one number, got %s", name, errors.describe(data))
    end
    data = data:item()
    if type(data) == "boolean" then data = data and 1 or 0 end
  end
  self:write(name, encode.scalar(data), check_step("summary.scalar", step, self),
    {plugin = "scalars", description = description})
end

local bind_histogram = binder("histogram", step_parameter,
  {"buckets", "integer", optional = true, min = 0}, description_parameter)

--- Writes the distribution of values.
-- @tparam string name tag
-- @tparam tensor data any shape
-- @tparam[opt] integer step
-- @tparam[opt=30] integer buckets
-- @tparam[opt] string description
function SummaryWriter:histogram(...)
  local name, data, step, buckets, description = bind_histogram(...)
  local bytes = require("cusp.summary.histogram").buckets(to_tensor("summary.histogram", data),
    buckets)
  self:write_histogram(name, bytes, check_step("summary.histogram", step, self), description)
end

--- Writes a histogram with precomputed buckets (`cusp.summary.histogram`).
function SummaryWriter:write_histogram(name, bytes, step, description)
  self:write(name, encode.content("DT_DOUBLE", {#bytes // 24, 3}, bytes), step,
    {plugin = "histograms", description = description})
end

local bind_image = binder("image", step_parameter, {"max_outputs", "integer", default = 3, min = 0},
  description_parameter)

--- Writes images.
-- @tparam string name tag
-- @tparam tensor data `[images, height, width, channels]`; 1 to 4 channels; uint8, or floats
-- clipped to 0 to 1
-- @tparam[opt] integer step
-- @tparam[opt=3] integer max_outputs maximum number to write
-- @tparam[opt] string description
function SummaryWriter:image(...)
  local name, data, step, most, description = bind_image(...)
  local pictures = encode.images("summary.image", to_tensor("summary.image", data), most)
  self:write(name, pictures, check_step("summary.image", step, self),
    {plugin = "images", description = description})
end

local bind_text = binder("text", step_parameter, description_parameter)

--- Writes Markdown text.
-- @tparam string name tag
-- @tparam string|table data a string; a list, or a list of rows, becomes a table
-- @tparam[opt] integer step
-- @tparam[opt] string description
function SummaryWriter:text(...)
  local name, data, step, description = bind_text(...)
  local tensor = encode.text("summary.text", data)
  self:write(name, tensor, check_step("summary.text", step, self),
    {plugin = "text", description = description})
end

local bind_audio = arguments.named_binder("summary.audio", parameters(
  {"sample_rate", "integer", min = 1, max = 0xffffffff}, step_parameter,
  {"max_outputs", "integer", default = 3, min = 0},
  {"encoding", "choice", choices = {"wav"}, default = "wav"}, description_parameter), false)

--- Writes sounds as WAV.
-- @tparam string name tag
-- @tparam tensor data `[clips, frames, channels]`, from -1 to 1
-- @tparam integer sample_rate frames per second
-- @tparam[opt] integer step
-- @tparam[opt=3] integer max_outputs maximum number to write
-- @tparam[opt="wav"] string encoding
-- @tparam[opt] string description
function SummaryWriter:audio(...)
  local args = bind_audio(...)
  local sounds = encode.audio("summary.audio", to_tensor("summary.audio", args.data),
    args.sample_rate, args.max_outputs)
  local content = protobuf.encode("tensorboard.AudioPluginData", {encoding = "WAV"})
  self:write(args.name, sounds, check_step("summary.audio", args.step, self),
    {plugin = "audio", content = content, description = args.description})
end

--- Writes the graph of a model: its layers and their weights.
-- @tparam Model|string model built; or the bytes of a GraphDef
-- @tparam[opt=0] integer step
function SummaryWriter:graph(model, step)
  local bytes = type(model) == "string" and model or require("cusp.summary.graph").of_model(model)
  self.file:write{step = step or 0, graph_def = bytes}
end

--- Writes a model's configuration, which TensorBoard shows as the conceptual graph.
-- @tparam string name tag; TensorBoard shows "keras" first
-- @tparam Model|string model functional or sequential; or its configuration as JSON
-- @tparam[opt=0] integer step
function SummaryWriter:keras_model(name, model, step)
  -- From 2.17 on, TensorBoard draws connections only for Keras 3's form.
  local text = type(model) == "string" and model or model:to_json{format = "keras3"}
  self:write(name, encode.strings({text}, {}), step or 0,
    {plugin = "graph_keras_model", content = "1"})
end

local bind_hparams = arguments.binder("summary.hparams", {
  {"trial_id", "string", optional = true}, {"start_time_secs", "number", optional = true},
}, false)

--- Writes the hyperparameters of this run.
-- @tparam table hparams name → number, string or boolean
-- @tparam[opt] string trial_id groups runs; by default equal for equal hyperparameters
-- @tparam[opt] number start_time_secs seconds since 1970; now by default
-- @usage writer:hparams({learning_rate = 0.1, units = 32}, {trial_id = "first"})
function SummaryWriter:hparams(values, ...)
  local trial_id, start = bind_hparams(...)
  if type(values) ~= "table" then
    errors.raise("summary.hparams: expected a table of values by name, got %s",
      errors.describe(values))
  end
  self.file:write{summary = require("cusp.summary.hparams").session_start(values, trial_id,
    start or EventFile.now())}
end

local bind_hparams_config = arguments.binder("summary.hparams_config", {
  {"hparams", "list"}, {"metrics", "list"}, {"time_created_secs", "number", optional = true},
}, false)

--- Writes the hyperparameters and metrics that an experiment compares; use a writer for the folder
-- above the runs.
-- @tparam table hparams list of `{name =, values = {...}}` or `{name =, min =, max =}`, with
-- `display_name`, `description`; or of names
-- @tparam table metrics list of `{tag =, group = (the run's folder), display_name =, description =,
-- dataset_type =}`; or of tags
-- @tparam[opt] number time_created_secs
function SummaryWriter:hparams_config(...)
  local hyperparameters, metrics, created = bind_hparams_config(...)
  self.file:write{summary = require("cusp.summary.hparams").experiment(hyperparameters, metrics,
    created or EventFile.now())}
end

--- Writes how this run ended, for the page of hyperparameters.
-- @tparam[opt="success"] string status "success", "failure" or "running"
function SummaryWriter:hparams_end(status)
  self.file:write{summary = require("cusp.summary.hparams").session_end(status or "success",
    EventFile.now())}
end

local bind_embedding = binder("embedding", {"metadata", "any", optional = true},
  {"sprite", "any", optional = true})

--- Writes vectors and their labels for the projector: `NAME.tsv`, `NAME_labels.tsv` and
-- `projector_config.pbtxt` in the log folder.
-- @tparam string name
-- @tparam tensor data `[rows, dimensions]`
-- @tparam[opt] table metadata a label per row; or rows of several labels, after a first row that
-- names the columns
-- @tparam[opt] table sprite `{image_path =, single_image_dim = {width, height}}`: one image made of
-- all rows' images
function SummaryWriter:embedding(...)
  local name, data, metadata, sprite = bind_embedding(...)
  local projector = require "cusp.summary.projector"
  data = to_tensor("summary.embedding", data)
  local file = name:gsub("[^%w_.%-]", "_")
  local vectors = projector.vectors(data)
  local labels = metadata and projector.labels(metadata, data.shape[1])
  self.embeddings = self.embeddings or {}
  local entry = {
    tensor_name = name, tensor_path = file .. ".tsv",
    metadata_path = labels and file .. "_labels.tsv", tensor_shape = data.shape,
    sprite = sprite,
  }
  local at = #self.embeddings + 1
  for i, other in ipairs(self.embeddings) do
    if other.tensor_name == name then at = i end
  end
  self.embeddings[at] = entry
  whole_file.write(self.logdir .. "/" .. entry.tensor_path, vectors)
  if labels then whole_file.write(self.logdir .. "/" .. entry.metadata_path, labels) end
  whole_file.write(self.logdir .. "/projector_config.pbtxt", projector.config(self.embeddings))
end

--- Everything is passed to the system as it is written; this method exists for compatibility.
function SummaryWriter:flush() end

--- Closes the file; has no effect on a closed writer.
function SummaryWriter:close() self.file:close() end

function SummaryWriter:__close() self:close() end

return SummaryWriter
