--- A small whole program: builds a model of three Dense layers, and trains it for five epochs with
-- validation.
local cusp = require "cusp"
local layers = cusp.layers

local train_x, train_y = cusp.random.uniform{1000, 72}, cusp.random.uniform{1000, 10}
local val_x, val_y = cusp.random.uniform{200, 72}, cusp.random.uniform{200, 10}

local input = cusp.Input{shape = {72}}
local hidden = layers.Dense{32, activation = "relu"}(input)
hidden = layers.Dense{16, activation = "relu"}(hidden)
local model = cusp.Model{inputs = input, outputs = layers.Dense{10, activation = "softmax"}(hidden)}
model:compile{optimizer = cusp.optimizers.Adam(0.001), loss = "categorical_crossentropy",
  metrics = {"accuracy"}}
model:summary()
model:fit{train_x, train_y, batch_size = 32, epochs = 5, validation_data = {val_x, val_y}}
