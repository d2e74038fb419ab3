-- Measures how much the TensorBoard callback with histograms adds to an epoch of the MNIST CNN, in
-- percent.
--   build/cusp scripts/bench/tensorboard.lua [samples]
local cusp = require "cusp"
local layers = cusp.layers
local samples = math.tointeger(arg[1] or 60000)

local x = cusp.random.uniform{samples, 28, 28, 1}
local y = cusp.random.randint({samples}, 0, 10)
local model = cusp.Sequential{
  cusp.Input{{28, 28, 1}},
  layers.Conv2D{32, 3, activation = "relu"}, layers.MaxPooling2D{2},
  layers.Conv2D{64, 3, activation = "relu"}, layers.MaxPooling2D{2},
  layers.Flatten(), layers.Dropout{0.5}, layers.Dense{128, activation = "relu"},
  layers.Dense{10, activation = "softmax"},
}
model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}}

-- Times its hooks: their time is what it adds.
local folder = os.tmpname()
os.remove(folder)
local callback = cusp.callbacks.TensorBoard{log_dir = folder, histogram_freq = 1}
local spent, epochs, started = {}, {}, nil
for _, hook in ipairs{"on_epoch_begin", "on_epoch_end"} do
  local own = callback[hook]
  callback[hook] = function(self, epoch, ...)
    local before = cusp.time()
    if hook == "on_epoch_begin" then started = before end
    if hook == "on_epoch_end" then epochs[epoch] = before - started end
    own(self, epoch, ...)
    spent[epoch] = (spent[epoch] or 0) + cusp.time() - before
  end
end
model:fit{x, y, batch_size = 128, epochs = 2, verbose = 0, callbacks = {callback}}
os.execute(("rm -rf '%s'"):format(folder))
for epoch = 1, 2 do
  local share = 100 * spent[epoch] / epochs[epoch]
  print(("epoch %d: %.2f s, TensorBoard %.1f ms: %.2f%%"):format(epoch, epochs[epoch],
    spent[epoch] * 1e3, share))
end
