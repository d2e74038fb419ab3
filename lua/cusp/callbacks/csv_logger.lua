--- Writes the logs of each epoch to a CSV file, one row per epoch: `epoch` (from 0, as in Keras),
-- then the values sorted by name. When BackupAndRestore resumes a run, the file continues after the
-- row of the last saved epoch.
-- @classmod cusp.callbacks.CSVLogger
-- @tparam string filename
-- @tparam[opt=","] string separator
-- @tparam[opt=false] boolean append whether to add rows to an existing file instead of replacing it
local Callback = require "cusp.callbacks.callback"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local python = require "cusp.callbacks.python_format"
local plain = require "cusp.base.plain"
local whole_file = require "cusp.base.whole_file"

local CSVLogger = Callback:extend("CSVLogger", {
  writes = true,
  config = {{"filename", "string"}, {"separator", "string", default = ","},
    {"append", "boolean", default = false}},
})

function CSVLogger:init(args)
  self:configure(args)
  if #self.separator ~= 1 or self.separator:find '["\r\n]' then
    errors.raise("CSVLogger: separator should be one character, no quote or line break, got %q",
      self.separator)
  end
end

local function fail(self, reason)
  errors.raise("CSVLogger: %s: %s", self.filename, plain.tostring(reason):gsub("^.-: ", ""))
end

local function close(self)
  local file = self.__own.file
  if not file then return end
  self.__own.file = nil
  local ok, reason = file:close()
  if not ok then fail(self, reason) end
end

local function open(self, mode)
  local file, reason = io.open(self.filename, mode)
  if not file then fail(self, reason) end
  self.__own.file = file
end

local function write(self, text)
  local file = self.__own.file
  local ok, reason = file:write(text)
  if ok then ok, reason = file:flush() end
  if not ok then
    engine.attempt(close, self)
    fail(self, reason)
  end
  self.bytes = self.bytes + #text
end

local function size(self)
  local file = io.open(self.filename, "rb")
  if not file then return 0 end
  local bytes = file:seek "end"
  file:close()
  return bytes
end

function CSVLogger:on_train_begin()
  engine.attempt(close, self)
  local resumed = self.params and self.params.resumed
  self.keys = nil
  self.bytes = (self.append or resumed) and size(self) or 0
  self.has_header = self.bytes > 0
  open(self, (self.append or resumed) and "ab" or "wb")
end

--- Reopens the file after a restart; drops rows written after `state` was saved.
function CSVLogger:set_state(state)
  self.keys, self.has_header = state.keys, state.has_header
  require "cusp.callbacks.leftovers"(self.filename)
  if not state.bytes or state.bytes >= self.bytes then return end
  close(self)
  local file = io.open(self.filename, "rb")
  local text = file and file:read(state.bytes) or ""
  if file then file:close() end
  whole_file.write(self.filename, text)
  self.bytes = #text
  open(self, "ab")
end

local function quoted(self, text)
  if not text:find('["\r\n]') and not text:find(self.separator, 1, true) then return text end
  return '"' .. text:gsub('"', '""') .. '"'
end

local function show(value)
  if engine.is_tensor(value) or engine.is_variable(value) then value = value:tolist() end
  if type(value) == "number" then return python.repr(value) end
  if type(value) ~= "table" then return plain.tostring(value) end
  local parts = {}
  for i = 1, #value do parts[i] = show(value[i]) end
  return ("[%s]"):format(table.concat(parts, ", "))
end

local function line(self, values)
  for i, value in ipairs(values) do values[i] = quoted(self, value) end
  return table.concat(values, self.separator) .. "\n"
end

-- Takes the columns from the first epoch; later epochs may be validated even if the first was not.
local function columns(logs)
  local keys, validated = {}, false
  for name in pairs(logs) do
    keys[#keys + 1] = name
    validated = validated or name:find "^val_" ~= nil
  end
  plain.sort(keys)
  if not validated then
    for i = 1, #keys do keys[#keys + 1] = "val_" .. keys[i] end
  end
  return keys
end

function CSVLogger:on_epoch_end(epoch, logs)
  logs = logs or {}
  if not self.__own.file then open(self, "ab") end
  self.keys = self.keys or columns(logs)
  local header = {"epoch", table.unpack(self.keys)}
  local row = {("%d"):format(epoch - 1)}
  for i, name in ipairs(self.keys) do
    row[i + 1] = logs[name] == nil and "NA" or show(logs[name])
  end
  local text = (self.has_header and "" or line(self, header)) .. line(self, row)
  self.has_header = true
  write(self, text)
end

function CSVLogger:on_train_end() close(self) end

function CSVLogger:abandon() close(self) end

return CSVLogger
