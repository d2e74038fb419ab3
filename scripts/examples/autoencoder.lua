--- A denoising autoencoder: it sees noisy digits and learns to draw them without noise.
-- Usage: build/cusp scripts/examples/autoencoder.lua [EPOCHS [PICTURE.png]]
-- The picture has three rows: the inputs, the outputs, and the originals.
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local epochs, path = tonumber(arg[1] or 10), arg[2] or "autoencoder.png"

cusp.random.set_seed(1)

local train, test = cusp.datasets.digits.load_data()
local function prepare(images) return images:cast "float32":reshape{-1, 28, 28, 1} / 255 end
local function add_noise(images)
  return ops.clip(images + cusp.random.normal(images.shape, {stddev = 0.4}), 0, 1)
end
local clean, clean_test = prepare(train[1]), prepare(test[1])
local noisy, noisy_test = add_noise(clean), add_noise(clean_test)

local inputs = cusp.Input{shape = {28, 28, 1}}
local x = layers.Conv2D{16, 3, strides = 2, padding = "same", activation = "relu"}(inputs)
x = layers.Conv2D{32, 3, strides = 2, padding = "same", activation = "relu"}(x)
local code = layers.Dense{32, name = "code"}(layers.Flatten()(x))
x = layers.Reshape{7, 7, 32}(layers.Dense{7 * 7 * 32, activation = "relu"}(code))
x = layers.Conv2DTranspose{32, 3, strides = 2, padding = "same", activation = "relu"}(x)
x = layers.Conv2DTranspose{16, 3, strides = 2, padding = "same", activation = "relu"}(x)
local outputs = layers.Conv2D{1, 3, padding = "same", activation = "sigmoid"}(x)

local model = cusp.Model{inputs = inputs, outputs = outputs}
model:compile{optimizer = "adam", loss = "binary_crossentropy"}
model:summary()
model:fit{noisy, clean, batch_size = 128, epochs = epochs,
  validation_data = {noisy_test, clean_test}}

local count = 12
local given = noisy_test:slice{{1, count}}
local rows = ops.stack{given, model:predict{given, verbose = 0}, clean_test:slice{{1, count}}}
local picture = ops.transpose(rows, {1, 3, 2, 4, 5}):reshape{3 * 28, count * 28, 1}
cusp.utils.save_img(path, picture)
print("The picture is in " .. path)
