--- Times single predictions through libcusp, on one thread: a small network over sound, a sample or
-- a block at a time, networks of a search's size, and networks whose times others have published.
-- Usage: build/cusp scripts/bench/realtime.lua BUILD [large]    with "large", the last kind as well
local cusp = require "cusp"
local layers = cusp.layers

local build, large = arg[1] or "build", arg[2] == "large"
local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir " .. folder)

local function sound()
  return cusp.Sequential{cusp.Input{cusp.None, 1},
    layers.Conv1D{16, 3, padding = "causal", activation = "tanh"},
    layers.Conv1D{16, 3, padding = "causal", activation = "tanh"},
    layers.LSTM{36, return_sequences = true}, layers.Dense{1}}
end

-- A policy and a value, as a search of a game's tree asks for by the thousands.
local function search()
  local board = cusp.Input{64}
  local x = layers.Dense{64, activation = "relu"}(board)
  local left = layers.Dense{64, activation = "relu"}(x)
  local y = layers.Add(){x, layers.Dense{64, activation = "relu"}(left)}
  return cusp.Model{inputs = board, outputs = layers.Dense{32, activation = "softmax"}(y)}
end

local function run(kind, model, ...)
  local path = folder .. "/model.keras"
  if model then model:save(path) end
  local command = {build .. "/bench/realtime", kind, path, ...}
  local pipe <close> = assert(io.popen(table.concat(command, " ")))
  return cusp.json.decode(pipe:read "a")
end

local function row(name, times, per)
  print(("%-44s %9.2f %9.2f %9.2f %9.2f"):format(name, times.least / per, times.median / per,
    times.p99 / per, times["p99.9"] / per))
end

print(("%-44s %9s %9s %9s %9s"):format("microseconds", "least", "median", "99%", "99.9%"))
local network = sound()
for _, block in ipairs{1, 16, 128} do
  local times = run("stream", network, block, 200000 // block)
  row(("sound, blocks of %d: a sample"):format(block), times, block)
end
row("64-64-64-64-32 with a branch: a prediction", run("predict", search(), 100000), 1)
row("8-16-3: a prediction", run("predict", cusp.Sequential{cusp.Input{8},
  layers.Dense{16, activation = "relu"}, layers.Dense{3, activation = "softmax"}}, 100000), 1)
if large then
  print "\nfrugally-deep's README of 2017, one core of an i5-6600: ResNet50 1.16 s, VGG16 4.41 s"
  for _, name in ipairs{"ResNet50", "VGG16"} do
    local model = cusp.applications[name]{weights = cusp.null}
    row(name .. ": a picture", run("predict", model, 10), 1)
  end
end
print "RTNeural's author aims at ten times real time at 48 kHz: 2.08 microseconds a sample"
os.execute("rm -rf " .. folder)
