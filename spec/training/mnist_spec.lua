-- Real digits, if available: eight thousand to train, two thousand to test, as accurate as Keras.
local cusp = require "cusp"
local engine = require "cusp.engine"
local layers = cusp.layers

local folder = "../shared/data/mnist/"
local file = io.open(folder .. "t10k-images-idx3-ubyte.gz")
if file then file:close() end

describe("MNIST", function()
  -- The share of right labels after five epochs.
  local function trained(dtype)
    local images = engine.read_idx(folder
      .. "t10k-images-idx3-ubyte.gz"):reshape({10000, 784}):cast "float32" / 255
    local labels = engine.read_idx(folder .. "t10k-labels-idx1-ubyte.gz")
    cusp.random.set_seed(3)
    local model = cusp.Sequential{
      layers.Dense{512, activation = "relu", dtype = dtype}, layers.Dropout{0.2, dtype = dtype},
      layers.Dense{10, activation = "softmax"},
    }
    model:compile{optimizer = "adam", loss = "sparse_categorical_crossentropy",
      metrics = {"accuracy"}}
    model:fit{images:slice{{1, 8000}}, labels:slice{{1, 8000}}, epochs = 5, batch_size = 32,
      verbose = 0}
    local _, accuracy = model:evaluate{images:slice{{8001, 10000}}, labels:slice{{8001, 10000}},
      verbose = 0}
    return accuracy
  end

  it("reaches 95.7 to 96.6 percent", function()
    if not file then return pending "the files are not there" end
    local accuracy = trained "float32"
    -- Keras's three seeds give 95.7 to 96.6; another seed may lie slightly outside.
    assert.is_true(accuracy > 0.952 and accuracy < 0.971, "accuracy " .. accuracy)
  end)

  it("is as accurate in mixed_bfloat16", function()
    if not file then return pending "the files are not there" end
    local accuracy = trained "mixed_bfloat16"
    assert.is_true(accuracy > 0.952 and accuracy < 0.971, "accuracy " .. accuracy)
  end)
end)
