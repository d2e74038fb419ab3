--- Event files for TensorBoard: a TFRecord file that only grows, with one protobuf Event per
-- record.
-- @module cusp.summary.event_file
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local protobuf = require "cusp.formats.protobuf"
local tfrecord = require "cusp.formats.tfrecord"

local EventFile = {__name = "cusp.summary.EventFile"}
EventFile.__index = EventFile

local function read_word(path, pattern)
  local file = io.open(path)
  local word = file and (file:read "a" or ""):match(pattern)
  if file then file:close() end
  return word
end

local host, process
local made = 0

-- The time and origin of a file; TensorBoard looks for "tfevents", and sorts by the time in the
-- name.
local function file_name(suffix)
  host = host or read_word("/proc/sys/kernel/hostname", "[%w%-_.]+") or "localhost"
  process = process or read_word("/proc/self/stat", "^%d+") or "0"
  local name = ("events.out.tfevents.%010d.%s.%s.%d%s"):format(os.time(), host, process, made,
    suffix)
  made = made + 1
  return name
end

local clock_offset

--- Seconds since 1970 with a fraction: the system's seconds, plus the engine's clock in between.
function EventFile.now()
  local seconds, running = os.time(), engine.monotonic()
  if not clock_offset or math.abs(clock_offset + running - seconds) > 2 then
    clock_offset = seconds - running
  end
  return clock_offset + running
end

--- Creates a file in a folder, and the folder if it does not exist.
-- @tparam string folder
-- @tparam[opt=".v2"] string suffix of its name
-- @treturn EventFile with `path`
-- @raise if the folder or the file cannot be created
function EventFile.create(folder, suffix)
  engine.files.make_directories(folder)
  local path = folder:gsub("(.)/+$", "%1") .. "/" .. file_name(suffix or ".v2")
  local self = setmetatable({path = path, records = tfrecord.writer(path)}, EventFile)
  self:write{file_version = "brain.Event:2", source_metadata = {writer = "cusp.summary"}}
  return self
end

--- Appends an event and passes it to the system.
-- @tparam table event fields of `tensorflow.Event`; `wall_time` is set
-- @raise if it cannot be written
function EventFile:write(event)
  event.wall_time = event.wall_time or EventFile.now()
  if not self.records.file then errors.raise("summary: the writer of %s is closed", self.path) end
  self.records:write(protobuf.encode("tensorflow.Event", event))
  self.records:flush()
end

function EventFile:close() self.records:close() end

return EventFile
