--- What goes wrong where several processes train, by the name of the case. Run by
-- spec/distribution/failures_spec.lua.
local cusp = require "cusp"
local distribution, layers, ops = cusp.distribution, cusp.layers, cusp.ops
local case, folder = arg[1], arg[2]

distribution.initialize{timeout = case == "hang" and 2 or 60}
distribution.set_distribution(distribution.DataParallel())
local rank = distribution.process_id()
local last = rank == distribution.num_processes() - 1

local function unless_last(value, other)
  if last then return other end
  return value
end

local function wait(seconds)
  local start = cusp.time()
  repeat until cusp.time() - start > seconds
end

local function on_batch(model, batch)
  if not last or batch ~= 9 then return end
  if case == "raise" then error "this rank has had enough" end
  if case == "hang" then wait(20) end
  if case == "leave" then os.exit(0) end
  if case == "other" then distribution.all_reduce(ops.ones{3}) end
  if case == "kill" then os.execute "kill -9 $PPID" end
  if case == "stop" then model.stop_training = true end
end

cusp.random.set_seed(unless_last(1, case == "seeds" and 2 or 1))
local rows = case == "rows" and unless_last(80, 72) or 80
local x = cusp.random.normal({rows, 4}, {seed = 5})
local y = ops.sum(x, 2)
if case == "dtype" and last then y = ops.cast(y, "int32") end
local model = cusp.Sequential{cusp.Input{shape = {4}},
  layers.Dense{case == "model" and unless_last(3, 2) or 3, activation = "tanh", name = "first"},
  layers.Dense{1}}
model:compile{optimizer = case == "optimizer" and unless_last("adam", "sgd") or "adam",
  loss = "mse"}

local callbacks = {{on_train_batch_end = function(_, batch) on_batch(model, batch) end}}
if folder then
  callbacks[2] = cusp.callbacks.BackupAndRestore{folder .. "/backup", save_freq = 4,
    delete_checkpoint = false}
  callbacks[3] = cusp.callbacks.ModelCheckpoint{folder .. "/model.keras", verbose = 1}
  callbacks[4] = cusp.callbacks.CSVLogger{folder .. "/log.csv"}
end
local history = model:fit{x, y, verbose = 2, epochs = 2, callbacks = callbacks,
  batch_size = case == "batches" and unless_last(8, 16) or 8}
local sum = 0
for _, variable in ipairs(model.weights) do sum = sum + ops.sum(ops.abs(variable.value)):item() end
local all = distribution.all_reduce(sum, "mean"):item()
if rank == 0 then
  print(("end: %d epochs, weights %.5f, apart %.5f"):format(#history.epoch, sum,
    math.abs(all - sum)))
end
