--- What `make bench-distributed` runs: seconds per step of two processes with one thread each
-- beside one process with two threads, and beside PyTorch over gloo where CUSP_BENCH_PYTHON has it.
-- Usage: cusp distributed.lua BUILD [ROUNDS]
local build, rounds = arg[1] or "build", tonumber(arg[2] or 3)
local python = os.getenv "CUSP_BENCH_PYTHON"
  or (os.getenv "HOME" or "") .. "/.cache/cusp-peers/peers/bin/python"

local function seconds(threads, command)
  local pipe = io.popen(("OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
    .. " OMP_NUM_THREADS=%d %s 2>/dev/null"):format(threads, command))
  local text = pipe:read "a"
  pipe:close()
  return tonumber(text:match "[%d.]+")
end

local own = build .. "/cusp scripts/bench/distributed_step.lua "
local peer = python .. " -P scripts/bench/distributed_step.py "
local columns = {
  {"one process, two threads", 2, function(network) return own .. network end},
  {"two processes", 1, function(network)
    return "mpirun --oversubscribe -n 2 " .. own .. network
  end},
  {"PyTorch, two threads", 2, function(network) return peer .. network .. " 1" end},
  {"PyTorch, two processes (gloo)", 1, function(network) return peer .. network .. " 2" end},
}

print("| network | " .. columns[1][1] .. " | " .. columns[2][1] .. " | ratio | "
  .. columns[3][1] .. " | " .. columns[4][1] .. " |")
print "| --- | --- | --- | --- | --- | --- |"
for _, network in ipairs{"mlp", "cnn", "transformer"} do
  local least = {}
  for _ = 1, rounds do -- in turns: what else the machine does hits all of them
    for i, column in ipairs(columns) do
      local time = seconds(column[2], column[3](network))
      least[i] = math.min(least[i] or math.huge, time or math.huge)
    end
  end
  local function shown(i)
    return least[i] < math.huge and ("%.2f ms"):format(1000 * least[i]) or "-"
  end
  print(("| %s | %s | %s | %.2f | %s | %s |"):format(network, shown(1), shown(2),
    least[1] / least[2], shown(3), shown(4)))
end
