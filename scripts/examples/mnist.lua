--- Handwritten digits: a small convolutional network, with the callbacks of a longer training run.
-- Usage: build/cusp scripts/examples/mnist.lua [FOLDER [EPOCHS]]
-- FOLDER holds MNIST's IDX files (train-images-idx3-ubyte and so on, plain or .gz); without one, or
-- with "", digits are drawn. Without the training half, 9,000 test images are used; an epoch then
-- takes about one second on two cores.
local cusp = require "cusp"
local layers, callbacks = cusp.layers, cusp.callbacks
local folder, epochs = arg[1] ~= "" and arg[1], tonumber(arg[2] or 5)

cusp.random.set_seed(1)

local train, test
if folder then
  train, test = cusp.datasets.mnist.load_data(folder)
else
  train, test = cusp.datasets.digits.load_data()
end
if not test then -- one half alone: its last thousand pictures are kept for the test
  local count = #train[2]
  test = {train[1]:slice{{count - 999, count}}, train[2]:slice{{count - 999, count}}}
  train = {train[1]:slice{{1, count - 1000}}, train[2]:slice{{1, count - 1000}}}
end
local function pictures(images) return images:cast "float32":reshape{-1, 28, 28, 1} / 255 end

local model = cusp.Sequential{
  cusp.Input{shape = {28, 28, 1}},
  layers.Conv2D{32, 3, activation = "relu"}, layers.MaxPooling2D(2),
  layers.Conv2D{64, 3, activation = "relu"}, layers.MaxPooling2D(2),
  layers.Flatten(), layers.Dropout(0.5), layers.Dense{10, activation = "softmax"},
}
model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}}
model:summary()

local history = model:fit{pictures(train[1]), train[2], batch_size = 128, epochs = epochs,
  validation_split = 0.1, callbacks = {
  callbacks.EarlyStopping{monitor = "val_loss", patience = 2, restore_best_weights = true},
}}
history:plot()
local _, accuracy = model:evaluate{pictures(test[1]), test[2], verbose = 0}
print(("Of %d digits it has never seen it reads %.2f%% right."):format(#test[2], 100 * accuracy))
