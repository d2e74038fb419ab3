-- Writes logs with everything that TensorBoard shows, for scripts/interop/tensorboard.py.
--   build/cusp scripts/interop/tensorboard.lua FOLDER
local cusp = require "cusp"
local layers = cusp.layers
local folder = assert(arg[1], "usage: tensorboard.lua FOLDER")

cusp.utils.set_random_seed(1)
local x = cusp.random.uniform{400, 8, 8, 1}
local y = cusp.ops.cast(cusp.ops.sum(x, {2, 3, 4}):greater(32), "int32")

for trial, rate in ipairs{0.01, 0.001} do
  local run = ("%s/trial_%d"):format(folder, trial)
  local inner = cusp.Sequential({cusp.Input{{64}},
    layers.Dense{16, activation = "relu", name = "hidden"}}, {name = "inner"})
  local input = cusp.Input({8, 8, 1}, {name = "picture"})
  local convolved = layers.Conv2D{4, 3, name = "filters", padding = "same"}(input)
  local features = inner(layers.Reshape{64,
    name = "flat"}(layers.Conv2D{1, 1, name = "mix"}(convolved)))
  local model = cusp.Model{input,
    layers.Dense{2, activation = "softmax", name = "classes"}(features)}
  model:compile{optimizer = cusp.optimizers.Adam(rate), loss = "sparse_categorical_crossentropy",
    metrics = {"accuracy"}}
  model:fit{
    x, y, batch_size = 50, epochs = 3, verbose = 0, validation_split = 0.25, shuffle = false,
    callbacks = {
      cusp.callbacks.TensorBoard{log_dir = run, histogram_freq = 1, write_images = true,
        update_freq = 3, write_steps_per_second = true},
    },
  }
  local writer <close> = cusp.summary.create_file_writer(run)
  writer:hparams{learning_rate = rate, optimizer = "adam", augmented = trial == 2}
  writer:scalar("final_loss", (model:evaluate{x, y, verbose = 0}), {step = 3})
  writer:hparams_end "success"
end

local experiment <close> = cusp.summary.create_file_writer(folder)
experiment:hparams_config{
  hparams = {
    {name = "learning_rate", min = 0, max = 1}, {name = "optimizer", values = {"adam", "sgd"}},
    {name = "augmented", values = {true, false}},
  },
  metrics = {{tag = "final_loss", display_name = "loss"}},
}

local own <close> = cusp.summary.create_file_writer(folder .. "/own")
own:image("pictures", x:slice{{1, 4}}, {step = 1, max_outputs = 4, description = "the first ones"})
own:text("note", "learning rate **halved**", {step = 1})
own:text("table", {{"layer", "units"}, {"hidden", "16"}}, {step = 2})
own:histogram("values", cusp.ops.linspace(0.0, 3.0, 301), {step = 7, buckets = 3})
local frames = cusp.ops.arange(0, 8000, {dtype = "float32"})
local tone = cusp.ops.sin(frames * (2 * math.pi * 440 / 8000)):reshape{1, -1, 1}
own:audio("tone", tone, 8000, {step = 1})
local corners = cusp.tensor{{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.5}}
own:embedding("corners", corners, {{"Name", "Side"}, {"a", "left"}, {"b", "left"}, {"c", "right"}})
