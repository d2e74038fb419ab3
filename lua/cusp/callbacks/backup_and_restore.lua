--- Keeps all that training goes on from, so that the same script, run again after it was killed,
-- continues where it was: at the same batch, with the same order of the data and the same random
-- numbers. The weights at the end are those of a run that was never killed.
--
-- What is kept, and the file's format, is told in the README of this folder. Give the same
-- callbacks in the same order; what callbacks of one's own know is kept, too, as far as it is plain
-- data (see `Callback`). Data from a function is asked for again from its first batch, so the
-- function has to give the same ones.
-- @classmod cusp.callbacks.BackupAndRestore
-- @tparam string backup_dir a folder for this run alone
-- @param[opt="epoch"] save_freq "epoch", or a number of batches; what was done since the last of
-- them is done again
-- @tparam[opt=false] boolean double_checkpoint whether the state before the last one is kept as
-- well, for the case that a disk loses the
--   last
-- @tparam[opt=true] boolean delete_checkpoint whether the state is removed when training has ended
local Callback = require "cusp.callbacks.callback"
local backup_file = require "cusp.callbacks.backup_file"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local frequency = require "cusp.callbacks.save_frequency"
local remove_leftovers = require "cusp.callbacks.leftovers"
local replicas = require "cusp.base.replicas"
local resuming = require "cusp.callbacks.resuming"
local gathering = require "cusp.base.gathering"
local warnings = require "cusp.base.warnings"

local BackupAndRestore = Callback:extend("BackupAndRestore", {
  -- After all others: what it keeps is what they left.
  runs_last = true,
  config = {
    {"backup_dir", "string"}, {"save_freq", "save_frequency", default = "epoch"},
    {"double_checkpoint", "boolean", default = false},
    {"delete_checkpoint", "boolean", default = true},
  },
})

function BackupAndRestore:init(args)
  self:configure(args)
  if self.backup_dir == "" then errors.raise("BackupAndRestore: backup_dir is empty") end
  local folder = self.backup_dir:gsub("(.)/+$", "%1")
  self.path, self.previous_path = folder .. "/latest.backup", folder .. "/previous.backup"
  if self.save_freq ~= "epoch" then
    self.on_train_batch_end = function(_, batch)
      if frequency.due(self.counter, batch, self.save_freq) then self:save() end
    end
  end
end

---------------------------------------------------------------- keeping

local function write(self, run, logs)
  if replicas.is_silent() then return end
  local files = engine.files
  files.make_directories(self.backup_dir)
  local kept = resuming.capture(run, logs)
  kept.counter = self.counter
  local function step_back()
    if self.double_checkpoint and files.exists(self.path) then
      files.rename(self.path, self.previous_path)
    end
  end
  backup_file.save(self.path, kept, step_back)
end

--- Keeps the state as of now.
-- @tparam ?table logs at the end of an epoch
function BackupAndRestore:save(logs)
  local run = self.__own.run
  if run then
    gathering.by_first("BackupAndRestore.save", run.model.weights, write, self, run, logs)
  end
end

---------------------------------------------------------------- taking up

-- What an earlier run kept; the state before it where the last is damaged or missing.
local function load(self)
  local files, failure = engine.files, nil
  for _, path in ipairs{self.path, self.previous_path} do
    if files.exists(path) then
      local ok, kept = engine.attempt(backup_file.load, path)
      if ok then
        if failure then
          warnings.warn("BackupAndRestore: %s; %s is taken instead", failure, path)
        end
        return kept, path
      end
      failure = failure or tostring(kept):gsub("^[^\n:]+:%d+: ", "")
    end
  end
  if failure then
    errors.raise("BackupAndRestore: %s; remove it to train from the beginning", failure)
  end
end

--- Before a run of `fit` calls anything else.
function BackupAndRestore:resume(run)
  if not replicas.is_silent() then remove_leftovers(self.path) end
  self.__own.run = run
  run:keep_place()
  self.counter = frequency.new()
  local kept, path = load(self)
  self.__own.kept = kept
  if not kept then return end
  resuming.prepare("BackupAndRestore: " .. path, run, kept)
  resuming.restore_values(run, kept)
  self.counter = kept.counter
  run:start_from{epoch = kept.epoch, batches = kept.batches, logs = kept.logs, stop = kept.stop}
  run.callbacks.params.resumed = true
  run.callbacks.params.steps = run.callbacks.params.steps or kept.steps
end

-- What hooks did in the meantime gives way to what was kept.
local function restore(self)
  local run, kept = self.__own.run, self.__own.kept
  self.__own.kept = nil
  resuming.restore_place(run, kept)
  resuming.restore_values(run, kept)
  resuming.restore_callbacks(run, kept)
  run.callbacks.params.resumed = nil
end

function BackupAndRestore:on_train_begin()
  local kept = self.__own.kept
  if kept and not kept.batches then restore(self) end
end

function BackupAndRestore:on_epoch_begin()
  if self.__own.kept then restore(self) end
end

function BackupAndRestore:on_epoch_end(_, logs)
  if self.save_freq == "epoch" then self:save(logs) end
end

---------------------------------------------------------------- ending

function BackupAndRestore:on_train_end()
  self.__own.run = nil
  if replicas.is_silent() then return end
  if not self.delete_checkpoint or not engine.files.is_directory(self.backup_dir) then return end
  -- The older first: killed in between, the run still ends where it ended.
  engine.files.remove(self.previous_path)
  engine.files.remove(self.path)
  remove_leftovers(self.path)
  if #engine.files.list(self.backup_dir) == 0 then engine.files.remove(self.backup_dir) end
end

function BackupAndRestore:abandon()
  self.__own.run = nil
  self.__own.kept = nil
end

return BackupAndRestore
