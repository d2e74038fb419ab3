--- Fits the model of docs/distributed.md for the time of a step to runs of two processes whose
-- messages are delayed, and prints what it says of many machines.
-- Usage: cusp distributed_model.lua BUILD [NETWORK]
local build, network = arg[1] or "build", arg[2] or "deep"

-- Seconds per step, and bytes of gradients.
local function run(microseconds, gigabits)
  local pipe = io.popen(("OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
    .. " OMP_NUM_THREADS=1 CUSP_DISTRIBUTION_DELAY=%g,%g mpirun --oversubscribe -n 2 %s/cusp"
    .. " scripts/bench/distributed_step.lua %s 6"):format(microseconds, gigabits, build, network))
  local text = pipe:read "a"
  pipe:close()
  local seconds, bytes = text:match "([%d.]+) (%d+)"
  return tonumber(seconds), tonumber(bytes)
end

-- A step of `p` machines: computing, and what of the messages does not fit behind it; the last of
-- them never does.
local function step_time(fit, p, latency, bandwidth)
  local hop = latency * math.ceil(math.log(p, 2))
  local travel = fit.messages * hop
  if bandwidth > 0 then travel = travel + 2 * (p - 1) / p * fit.bytes / bandwidth end
  return fit.compute + math.max(hop, travel - fit.hidden)
end

local function distance(fit, points)
  local sum = 0
  for _, point in ipairs(points) do
    local predicted = step_time(fit, 2, point.latency, point.bandwidth)
    sum = sum + math.log(predicted / point.seconds) ^ 2
  end
  return sum
end

-- The number of messages and the seconds that are hidden, by trying.
local function fit_to(points, compute, bytes)
  local best, least
  for messages = 1, 20, 0.25 do
    for part = 0, 40 do
      local fit = {compute = compute, bytes = bytes, messages = messages,
        hidden = compute * part / 40}
      local error = distance(fit, points)
      if not least or error < least then best, least = fit, error end
    end
  end
  return best
end

local points, bytes = {}, nil
for _, delay in ipairs{{0, 0}, {500, 0}, {2000, 0}, {8000, 0}, {20000, 0}, {0, 4}, {0, 1},
  {0, 0.25}} do
  local seconds
  seconds, bytes = run(delay[1], delay[2])
  points[#points + 1] = {latency = delay[1] * 1e-6, bandwidth = delay[2] * 1e9 / 8,
    seconds = seconds}
end
local fit = fit_to(points, points[1].seconds, bytes)
print(("%s: %.2f ms of computing, %.1f MB of gradients in %.2f messages, %.2f ms hidden"):format(
  network, 1e3 * fit.compute, bytes / 1e6, fit.messages, 1e3 * fit.hidden))
print "| latency | bandwidth | measured | model |\n| --- | --- | --- | --- |"
for _, point in ipairs(points) do
  print(("| %g ms | %s | %.1f ms | %.1f ms |"):format(1e3 * point.latency,
    point.bandwidth > 0 and ("%g Gbit/s"):format(point.bandwidth * 8e-9) or "-",
    1e3 * point.seconds, 1e3 * step_time(fit, 2, point.latency, point.bandwidth)))
end

local examples = {
  {"25 million weights, 2 s", {compute = 2, bytes = 1e8, messages = 60, hidden = 1}},
  {"25 million weights, 0.2 s", {compute = 0.2, bytes = 1e8, messages = 60, hidden = 0.1}},
  {"138 million weights, 0.4 s", {compute = 0.4, bytes = 5.52e8, messages = 25, hidden = 0.2}},
}
print "| step of one machine | network | 2 | 8 | 64 | 256 | 1,024 |"
print "| --- | --- | --- | --- | --- | --- | --- |"
for _, example in ipairs(examples) do
  for _, link in ipairs{{10, 25e-6}, {25, 10e-6}, {100, 5e-6}} do
    local cells = {}
    for _, p in ipairs{2, 8, 64, 256, 1024} do
      local seconds = step_time(example[2], p, link[2], link[1] * 1e9 / 8)
      cells[#cells + 1] = ("%.0f%%"):format(100 * example[2].compute / seconds)
    end
    print(("| %s | %d Gbit/s | %s |"):format(example[1], link[1], table.concat(cells, " | ")))
  end
end
