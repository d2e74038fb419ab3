--- Feature extraction and fine-tuning: a network that knows the digits 0 to 5 learns 6 to 9 from a
-- few pictures, beside one that begins from scratch with the same pictures.
-- Usage: build/cusp scripts/examples/fine_tuning.lua [PICTURES [EPOCHS]]
-- PICTURES per digit (2); EPOCHS of the first training (4).
local cusp = require "cusp"
local layers, ops = cusp.layers, cusp.ops
local per_class, epochs = tonumber(arg[1] or 2), tonumber(arg[2] or 4)

cusp.utils.set_random_seed(1)

local function pictures(half)
  return half[1]:cast "float32":reshape{-1, 28, 28, 1} / 255, half[2]
end

-- The samples whose label satisfies `wanted`, the first `most` of each label.
local function select(x, y, wanted, most)
  local rows, count = {}, {}
  for i, label in ipairs(y:tolist()) do
    count[label] = (count[label] or 0) + 1
    if wanted(label) and count[label] <= (most or math.huge) then rows[#rows + 1] = i - 1 end
  end
  return ops.take(x, rows, 1), ops.take(y, rows, 1)
end

local function is_known(label) return label < 6 end
local function is_new(label) return label >= 6 end

local train, test = cusp.datasets.digits.load_data(4000, 2000)
local x, y = pictures(train)
local x_test, y_test = pictures(test)

local function block(filters, name)
  return layers.Conv2D{filters, 3, use_bias = false, name = "conv_" .. name},
    layers.BatchNormalization{momentum = 0.9, name = "norm_" .. name}, layers.ReLU()
end

local function new_base()
  local base = cusp.Sequential{cusp.Input{shape = {28, 28, 1}}, name = "base"}
  for name, filters in ipairs{16, 32, 64} do
    for _, layer in ipairs{block(filters, name)} do base:add(layer) end
    if name < 3 then base:add(layers.MaxPooling2D(2)) end
  end
  base:add(layers.GlobalAveragePooling2D())
  return base
end

-- The base stays in inference mode, so that its statistics are kept.
local function with_head(base, classes)
  local inputs = cusp.Input{shape = {28, 28, 1}}
  local features = base(inputs, {training = false})
  return cusp.Model(inputs, layers.Dense{classes, activation = "softmax", name = "head"}(features))
end

local function compile(model, learning_rate)
  model:compile{optimizer = cusp.optimizers.Adam(learning_rate),
    loss = "sparse_categorical_crossentropy", metrics = {"accuracy"}}
end

-- 1. A network for six digits, with many pictures.
local base = new_base()
local known_x, known_y = select(x, y, is_known)
local known = cusp.Sequential{base, layers.Dense{6, activation = "softmax"}}
compile(known, 0.003)
known:fit{known_x, known_y, epochs = epochs, verbose = 0}

-- 2. Four new digits, a few pictures of each.
local few_x, few_y = select(x, y, is_new, per_class)
local new_x, new_y = select(x_test, y_test, is_new)

local function accuracy(model)
  local _, value = model:evaluate{new_x, new_y - 6, verbose = 0}
  return 100 * value
end

local function learn(model, learning_rate, times)
  compile(model, learning_rate)
  model:fit{few_x, few_y - 6, epochs = times, batch_size = 8, verbose = 0}
  return accuracy(model)
end

-- From scratch: everything is trained.
local scratch = cusp.Sequential{new_base(), layers.Dense{4, activation = "softmax"}}
local from_scratch = learn(scratch, 0.003, 60)

-- Feature extraction: only the new head is trained.
local model = with_head(base, 4)
model:set_trainable("^base/", false)
local extracted = learn(model, 0.01, 40)

-- Fine-tuning: the upper convolution too, slowly.
model:set_trainable "^base/conv_3"
local tuned = learn(model, 0.0005, 20)

-- The normalisations are merged into the convolutions, for use.
local fused = cusp.utils.fuse_batch_normalization(model)
compile(fused, 0)
print(("%d pictures of each new digit; of %d others it reads"):format(per_class, #new_y))
print(("  from scratch        %5.1f%%"):format(from_scratch))
print(("  feature extraction  %5.1f%%"):format(extracted))
print(("  fine-tuning         %5.1f%%"):format(tuned))
print(("  the same, merged    %5.1f%%"):format(accuracy(fused)))
