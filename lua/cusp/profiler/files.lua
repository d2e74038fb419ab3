--- The folder of a profile, as TensorBoard looks for it: `plugins/profile/DATE_TIME/HOST.xplane.pb`
-- below the log folder, and a Chrome trace beside it.
-- @module cusp.profiler.files
local engine = require "cusp.engine"
local whole_file = require "cusp.base.whole_file"

local files = {}

local function host_name()
  local file = io.open "/proc/sys/kernel/hostname"
  local name = file and (file:read "a" or ""):match "[%w%-_.]+"
  if file then file:close() end
  return name or "localhost"
end

-- Profiles of one second get numbers, so that none replaces another.
local function new_folder(logdir, host)
  local base = logdir:gsub("(.)/+$", "%1") .. "/plugins/profile/" .. os.date "%Y_%m_%d_%H_%M_%S"
  local folder, number = base, 1
  while io.open(("%s/%s.xplane.pb"):format(folder, host)) do
    number = number + 1
    folder = ("%s_%d"):format(base, number)
  end
  engine.files.make_directories(folder)
  return folder
end

--- Writes the files of a report.
-- @tparam Report report
-- @tparam string logdir
-- @treturn string the folder that was made
-- @raise if it cannot be written
function files.write(report, logdir)
  local host = host_name()
  local bytes = require("cusp.profiler.xplane").encode(report, host)
  local folder = new_folder(logdir, host)
  whole_file.write(("%s/%s.xplane.pb"):format(folder, host), bytes)
  require("cusp.profiler.chrome").write(report, ("%s/%s.trace.json"):format(folder, host))
  return folder
end

return files
