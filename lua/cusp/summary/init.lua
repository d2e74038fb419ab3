--- Custom summaries for TensorBoard: numbers, images, histograms, text, sound, hyperparameters,
-- embeddings. A writer has a method for each. The functions here write to the default writer, set
-- with `as_default`, and return whether there is one.
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
-- @tparam string logdir created if it does not exist; runs are folders below the one that
-- TensorBoard is started with
-- @tparam[opt] integer max_queue accepted for compatibility with TensorFlow; every summary is
-- passed to the system immediately
-- @tparam[opt] integer flush_millis accepted for compatibility, too
-- @tparam[opt=".v2"] string filename_suffix
-- @treturn SummaryWriter close it after use: `local writer <close> = create_file_writer "logs"`
-- @raise if the folder or the file cannot be created
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
-- @tparam[opt] integer step default step; change it later through `writer.step`
-- @return the scope, to be closed
function SummaryWriter:as_default(step)
  local scope = setmetatable({writer = self, before = current, step_before = self.step}, Scope)
  current = self
  if step ~= nil then self.step = step end
  return scope
end

--- Functions named like the writer's methods, with the same arguments; they write to the default
-- writer.
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
