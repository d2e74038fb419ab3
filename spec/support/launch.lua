--- Runs of programs by several processes.
local launch = {}

local build = os.getenv "CUSP_BUILD" or "build"

local function succeeds(command)
  return os.execute(command .. " >/dev/null 2>&1") == true
end

local possible

--- Whether programs can be run by several processes here.
function launch.is_possible()
  if possible == nil then
    possible = succeeds "command -v mpirun" and succeeds("test -f " .. build
      .. "/lib/cusp/native/mpi.so") and succeeds(launch.command(2, "-e 'return'"))
  end
  return possible
end

--- The command that runs a program.
-- @tparam ?integer count of processes; nil: one, without mpirun
-- @tparam string program and its arguments
function launch.command(count, program)
  local environment = "OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  -- MPI's plugins are unloaded before what they leave can be told from leaks.
  if count then environment = environment .. " ASAN_OPTIONS=detect_leaks=0" end
  local start = count and ("mpirun --oversubscribe -n %d "):format(count) or ""
  return ("%s timeout 120 %s%s/cusp %s"):format(environment, start, build, program)
end

--- Runs a program.
-- @treturn string what it printed
-- @treturn boolean whether it succeeded
function launch.run(count, program)
  local pipe = io.popen(launch.command(count, program) .. " 2>&1")
  local text = pipe:read "a"
  local ok = pipe:close()
  return text, ok == true
end

return launch
