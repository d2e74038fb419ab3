--- Summaries of one's own for TensorBoard: numbers, pictures, histograms, text, sound,
-- hyperparameters, embeddings. A writer has a method for each. The functions here write to the
-- writer that `as_default` has made the default one, and return whether there is one.
-- @module cusp.summary
-- @usage
-- local writer = cusp.summary.create_file_writer "logs/run"
-- do
--   local _ <close> = writer:as_default(1)
--   cusp.summary.scalar("loss", 0.25)
-- end
-- writer:close()
local arguments = require "cusp.base.arguments"
local SummaryWriter = require "cusp.summary.writer"

local summary = {SummaryWriter = SummaryWriter}

local bind = arguments.binder("create_file_writer", {
  {"logdir", "string"},
  {"max_queue", "integer", optional = true, min = 0},
  {"flush_millis", "integer", optional = true, min = 0},
  {"filename_suffix", "string", default = ".v2"},
})

--- Makes a writer, and its event file in a folder.
-- @tparam string logdir made where it does not exist; runs are folders below the one that
-- TensorBoard is started with
-- @tparam[opt] integer max_queue accepted as in TensorFlow; every summary is handed to the system
-- at once
-- @tparam[opt] integer flush_millis likewise
-- @tparam[opt=".v2"] string filename_suffix
-- @treturn SummaryWriter to be closed: `local writer <close> = create_file_writer "logs"`
-- @raise if the folder or the file cannot be made
function summary.create_file_writer(...)
  local logdir, _, _, suffix = bind(...)
  return SummaryWriter.new(logdir, suffix)
end

local current

local Scope = {}
Scope.__index = Scope
function Scope:__close()
  current = self.before
  self.writer.step = self.step_before
end

--- Makes the writer the default one until the scope ends: `local _ <close> =
-- writer:as_default(step)`.
-- @tparam[opt] integer step of what is written without one; may be changed later as `writer.step`
-- @return the scope, to be closed
function SummaryWriter:as_default(step)
  local scope = setmetatable({writer = self, before = current, step_before = self.step}, Scope)
  current = self
  if step ~= nil then self.step = step end
  return scope
end

--- Functions of the writers' names, writing to the default one. Arguments as of the methods.
-- @treturn boolean whether there is a default writer
-- @function scalar
for _, name in ipairs{"scalar", "histogram", "image", "text", "audio", "hparams", "hparams_config",
  "graph", "embedding"} do
  summary[name] = function(...)
    if not current then return false end
    current[name](current, ...)
    return true
  end
end

--- The default writer, or nil.
function summary.get_default_writer() return current end

return summary
