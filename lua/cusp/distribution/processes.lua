--- The processes of this job: one, unless `mpirun` or Slurm started several
-- @module cusp.distribution.processes
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local native = require "cusp.base.native"

local processes = {}

local default_timeout = 600 -- seconds
local joined                -- what `join` gives

-- How many processes the launcher says that it has started.
local function launched()
  for _, name in ipairs{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"} do
    local size = math.tointeger(tonumber(os.getenv(name) or ""))
    if size then return size end
  end
  return 1
end

-- What goes wrong there is told at the user's line.
local function gather_with(gather)
  return function(text)
    local ok, found = engine.attempt(gather, text)
    if not ok then errors.raise("cusp.distribution: %s", found) end
    return found
  end
end

local function join(timeout)
  if launched() == 1 then
    return {rank = 0, size = 1, gather = function(text) return {text} end,
      set_sharers = function() end}
  end
  local mpi = native.load("mpi", "cusp.distribution under mpirun")
  local transport, rank, size = mpi.start(timeout or default_timeout,
    os.getenv "CUSP_DISTRIBUTION_DELAY")
  if size == 1 then
    errors.raise("cusp.distribution: the launcher started several processes, but each is alone for"
      .. " MPI; start them with mpirun, or with srun --mpi=pmix")
  end
  engine.set_transport(transport)
  return {rank = rank, size = size, gather = gather_with(mpi.gather),
    set_timeout = mpi.set_timeout, split = mpi.split, set_sharers = mpi.set_sharers}
end

local function timeout_of(given)
  local text = os.getenv "CUSP_DISTRIBUTION_TIMEOUT"
  local timeout = given or text and tonumber(text)
  local wrong = text and not given and not timeout or timeout and timeout <= 0
  if wrong or timeout ~= timeout then
    errors.raise("distribution.initialize: the timeout should be a number of seconds above 0, got"
      .. " %s", errors.describe(given or text))
  end
  return timeout
end

--- Joins the processes, once.
-- @tparam[opt] number timeout seconds that a process waits for the others
-- @treturn table `rank`, `size`, `gather` (text → the texts of all processes), `split` (makes a
-- group), `set_sharers` (the group that divides batches)
function processes.join(timeout)
  if joined and not timeout then return joined end
  timeout = timeout_of(timeout)
  if not joined then joined = join(timeout)
  elseif timeout and joined.set_timeout then joined.set_timeout(timeout) end
  return joined
end

return processes
