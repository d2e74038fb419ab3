--- Training from an HDF5 file ten times larger than the memory that the process may have, beside
-- the same training from memory; and how fast rows of a file in compressed chunks come, shuffled.
-- Usage: build/cusp scripts/bench/data.lua [BUILD [MEGABYTES]]
--
-- The limit is on writable memory (`ulimit -d`: heap, arrays, stacks of threads, but not the
-- program's code and the system's file cache). OpenBLAS takes 128 MB of it per thread plus once
-- more, mostly untouched, and hangs if it does not get them. So one thread computes the steps, and
-- the limit is 256 MB for OpenBLAS plus 64 MB for everything else. A step takes some milliseconds;
-- samples come in random order over the whole file. The figure is the time of a step with the file
-- relative to that without: the best of several epochs each, alternating, so that other load
-- affects both.
local cusp = require "cusp"
local layers = cusp.layers

local build, megabytes, mode, path = arg[1] or "build", tonumber(arg[2] or 320), arg[3], arg[4]
local FEATURES, CLASSES, BATCH = 3072, 10, 128
local rows_of = {file = megabytes * 10 * 1000 * 1000 // (4 * FEATURES) // BATCH * BATCH}
rows_of.memory = rows_of.file // 10 // BATCH * BATCH
local EPOCHS = 5

local function make_model()
  cusp.random.set_seed(1)
  local model = cusp.Sequential{layers.Dense{256, activation = "relu"},
    layers.Dense{CLASSES, activation = "softmax"}}
  model:compile{optimizer = "sgd", loss = "sparse_categorical_crossentropy"}
  return model
end

-- Milliseconds per step in the fastest part of the epochs: each part has as many steps as the data
-- in memory.
local function milliseconds(data)
  local model, steps, best = make_model(), rows_of.memory // BATCH, math.huge
  local started
  model:fit{
    data, epochs = EPOCHS + 1, steps_per_epoch = steps, verbose = 0, callbacks = {{
      on_epoch_begin = function() started = cusp.time() end,
      on_epoch_end = function(_, epoch)
        if epoch > 1 then best = math.min(best, (cusp.time() - started) / steps * 1e3) end
      end,
    }},
  }
  return best
end

local function peak_kilobytes()
  for line in io.lines "/proc/self/status" do
    local peak = line:match "^VmHWM:%s+(%d+)"
    if peak then return tonumber(peak) end
  end
end

local children = {}

function children.memory()
  local x = cusp.random.uniform({rows_of.memory, FEATURES})
  local y = cusp.random.randint({rows_of.memory}, 0, CLASSES)
  return cusp.data.Dataset.from_tensor_slices{x, y}:shuffle(rows_of.memory):batch(BATCH):repeat_()
end

function children.file()
  return cusp.data.from_hdf5(path, {"x", "y"}):shuffle(rows_of.file):batch(BATCH):repeat_()
end

if mode then
  local best = milliseconds(children[mode]())
  print(("%.4f %d"):format(best, peak_kilobytes() // 1024))
  os.exit(0)
end

---------------------------------------------------------------- the parent

local function run_child(kind, limit)
  local restriction = limit and ("ulimit -d %d;"):format(megabytes * 1000) or ""
  local command = ("%s export OMP_NUM_THREADS=1; exec timeout 200 %s/cusp %s %s %d %s %s"):format(
    restriction, build, arg[0], build,
    megabytes, kind, path)
  local pipe <close> = io.popen(command)
  local output = pipe:read "a"
  local best, peak = output:match "^(%S+) (%d+)"
  if not best then error(("the run with data from %s failed: %s"):format(kind, output), 0) end
  return tonumber(best), tonumber(peak)
end

local function make_file()
  local x = cusp.random.uniform({rows_of.file, FEATURES}, {seed = 1})
  local y = cusp.random.randint({rows_of.file}, 0, CLASSES, {seed = 2})
  cusp.hdf5.save(path, {x = x, y = y})
end

path = os.tmpname()
local _ <close> = setmetatable({}, {__close = function() os.remove(path) end})
make_file()
collectgarbage()

local bytes = cusp.data.from_hdf5(path, "x").options.rows.rows * 4 * FEATURES
print(("a file of %d MB, a limit of %d MB, batches of %d x %d, one thread computing"):format(
  bytes // 1000000, megabytes, BATCH,
  FEATURES))
local best, peaks = {memory = math.huge, file = math.huge}, {}
for _ = 1, 3 do
  for _, kind in ipairs{"memory", "file"} do
    local time, peak = run_child(kind, kind == "file")
    best[kind], peaks[kind] = math.min(best[kind], time), peak
  end
end
for _, kind in ipairs{"memory", "file"} do
  print(("%-7s %8.3f ms/step   %5d MB resident at most"):format(kind, best[kind], peaks[kind]))
end
print(("speed from the file: %.1f%% of that from memory"):format(100 * best.memory / best.file))

---------------------------------------------------------------- shuffled rows of chunks

-- Rows a second of one pass; those of rows in their own order are the most that there can be.
local function rows_a_second(dataset)
  local started, rows = cusp.time(), 0
  for x in dataset:batch(BATCH):iterate() do rows = rows + x.shape[1] end
  return rows / (cusp.time() - started)
end

local CHUNKED = 30000
local values = cusp.random.randint({CHUNKED, 784}, 0, 30, {seed = 3})
do
  local file <close> = cusp.hdf5.create(path)
  file:create_dataset("x", cusp.ops.cast(values, "float32"), {compression = "gzip"})
  file:close()
end
local rows = cusp.data.from_hdf5(path, "x")
print(("%d rows of 784 numbers in gzip's chunks, rows/s:"):format(CHUNKED))
for _, case in ipairs{
  {"in order", rows},
  {"shuffle(1000)", rows:shuffle(1000)},
  {"shuffle of all", rows:shuffle(CHUNKED)},
  {"shuffle of all in 20 MB", rows:shuffle(CHUNKED, {max_bytes = 20 << 20})},
  {"cache, shuffle of all", rows:cache():shuffle(CHUNKED)},
  {"batch, unbatch, shuffle of all", rows:batch(32):unbatch():shuffle(CHUNKED)},
} do
  print(("%-30s %8.0f"):format(case[1], rows_a_second(case[2])))
end
