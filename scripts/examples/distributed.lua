--- Several processes train one network on drawn digits; the numbers are those of one process.
-- Usage: mpirun -n 2 build/cusp scripts/examples/distributed.lua [EPOCHS [FOLDER]]
-- FOLDER is for backups: killed and started again, with as many processes as you like, the script
-- goes on where it was. Started without mpirun, it is one process.
local cusp = require "cusp"
local distribution, layers, callbacks = cusp.distribution, cusp.layers, cusp.callbacks
local epochs, folder = tonumber(arg[1] or 3), arg[2]

distribution.set_distribution(distribution.DataParallel()) -- the one line that it takes

cusp.random.set_seed(1)
local train = cusp.datasets.digits.load_data(2000, 500)
local images, labels = train[1]:cast "float32":reshape{-1, 784} / 255, train[2]

local model = cusp.Sequential{
  cusp.Input{shape = {784}},
  layers.Dense{128, activation = "relu"},
  layers.BatchNormalization{synchronized = true},
  layers.Dense{10, activation = "softmax"},
}
model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}}
model:fit{images, labels, batch_size = 100, epochs = epochs, verbose = 2,
  callbacks = folder and {callbacks.BackupAndRestore(folder)} or nil}

local loss, accuracy = model:evaluate{images, labels, verbose = 0}
if distribution.process_id() == 0 then
  print(("%d processes: loss %.5f, accuracy %.3f"):format(distribution.num_processes(), loss,
    accuracy))
end
