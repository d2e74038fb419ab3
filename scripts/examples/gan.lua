--- A custom training loop: a generative adversarial network (Goodfellow et al., 2014) learns to
-- draw digits. The generator turns noise into images; the discriminator learns to tell them from
-- real ones; each learns from the other's mistakes.
-- Usage: build/cusp scripts/examples/gan.lua [EPOCHS [PICTURE.png]]
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local epochs, picture = tonumber(arg[1] or 80), arg[2]
local batch_size, noise_size = 128, 64

cusp.random.set_seed(3)

local train = cusp.datasets.digits.load_data()
local images = train[1]:cast("float32"):reshape{-1, 784} / 127.5 - 1 -- -1 to 1, as tanh gives them

---------------------------------------------------------------- the two models

local generator = cusp.Sequential{
  cusp.Input{shape = {noise_size}},
  layers.Dense(256), layers.LeakyReLU(0.2), layers.BatchNormalization{momentum = 0.8},
  layers.Dense(512), layers.LeakyReLU(0.2), layers.BatchNormalization{momentum = 0.8},
  layers.Dense{784, activation = "tanh"},
}
local discriminator = cusp.Sequential{
  cusp.Input{shape = {784}},
  layers.Dense(256), layers.LeakyReLU(0.2), layers.Dropout(0.3),
  layers.Dense(128), layers.LeakyReLU(0.2), layers.Dropout(0.3),
  layers.Dense(1),
}
local generator_optimizer = cusp.optimizers.Adam{0.0002, beta_1 = 0.5}
local discriminator_optimizer = cusp.optimizers.Adam{0.0002, beta_1 = 0.5}
local cross_entropy = cusp.losses.BinaryCrossentropy{from_logits = true}

---------------------------------------------------------------- one step of both

--- Traced once and run as a plan; tapes work inside it as outside.
local step = cusp.compile(function(real)
  local noise = cusp.random.normal{batch_size, noise_size}
  local generator_loss, discriminator_loss
  local generator_tape <close> = cusp.GradientTape()
  local discriminator_tape <close> = cusp.GradientTape()
  local fake = generator(noise, {training = true})
  local says_real = discriminator(real, {training = true})
  local says_fake = discriminator(fake, {training = true})
  generator_loss = cross_entropy(ops.ones_like(says_fake), says_fake)
  discriminator_loss = cross_entropy(0.9 * ops.ones_like(says_real), says_real)
    + cross_entropy(ops.zeros_like(says_fake), says_fake)

  local weights = generator.trainable_variables
  generator_optimizer:apply(generator_tape:gradient(generator_loss, weights), weights)
  weights = discriminator.trainable_variables
  discriminator_optimizer:apply(discriminator_tape:gradient(discriminator_loss, weights), weights)
  return generator_loss, discriminator_loss
end)

---------------------------------------------------------------- looking at what it draws

local shades = " .:-=+*#%@"

--- Images side by side, as text.
local function show(pictures)
  local pixels = pictures:reshape{-1, 28, 28}:tolist()
  for row = 2, 26, 2 do
    local line = {}
    for i = 1, #pixels do
      for column = 1, 28 do
        local level = (pixels[i][row][column] + pixels[i][row + 1][column] + 2) / 4
        local shade = 1 + math.floor(math.max(0, math.min(1, level)) * (#shades - 1) + 0.5)
        line[#line + 1] = shades:sub(shade, shade)
      end
    end
    print(table.concat(line))
  end
end

---------------------------------------------------------------- the loop

local fixed_noise = cusp.random.normal{4, noise_size}
local steps = #images // batch_size
for epoch = 1, epochs do
  local clock, generator_mean, discriminator_mean = cusp.time(), cusp.metrics.Mean(),
    cusp.metrics.Mean()
  local shuffled = cusp.random.shuffle(images)
  for i = 0, steps - 1 do
    local generator_loss,
      discriminator_loss = step(shuffled:slice{{i * batch_size + 1, (i + 1) * batch_size}})
    generator_mean:update_state(generator_loss)
    discriminator_mean:update_state(discriminator_loss)
  end
  print(("epoch %2d: generator %.3f, discriminator %.3f, %.1f s"):format(epoch,
    generator_mean:result():item(),
    discriminator_mean:result():item(), cusp.time() - clock))
  if epoch % 20 == 0 or epoch == epochs then show(generator(fixed_noise, {training = false})) end
end
if picture then
  local grid = generator(cusp.random.normal{64, noise_size}, {training = false}):reshape{8, 8, 28,
    28}
  cusp.utils.save_img(picture, ops.transpose(grid, {1, 3, 2, 4}):reshape{224, 224, 1})
end
