--- Handwritten-style digits, drawn by the engine from strokes: no download, and the same on every
-- machine.
-- @module cusp.datasets.digits
local arguments = require "cusp.base.arguments"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local digits = {}

local bind = arguments.binder("digits.load_data",
  "train_samples: int = 10000, test_samples: int = 2000, seed: int = 0")

local function drawn(samples, seed)
  local images, labels = engine.draw_digits(samples, seed)
  return {images, labels}
end

--- Draws the dataset. Training and test half have no image in common.
-- @tparam[opt=10000] integer train_samples
-- @tparam[opt=2000] integer test_samples
-- @tparam[opt=0] integer seed equal seeds give equal images
-- @treturn table training half: `{images, labels}`, uint8 tensors of shapes `[samples, 28, 28]` (0
-- background, 255 ink) and `[samples]` (0 to 9)
-- @treturn table test half, in the same form
-- @raise for a negative number of samples
-- @usage
-- local train, test = cusp.datasets.digits.load_data()
-- local x_train, y_train = train[1]:cast("float32") / 255, train[2]
function digits.load_data(...)
  local train_samples, test_samples, seed = bind(...)
  errors.check(train_samples >= 0 and test_samples >= 0,
    "digits.load_data: the numbers of samples must not be negative, got %d and %d",
    train_samples, test_samples)
  return drawn(train_samples, 2 * seed), drawn(test_samples, 2 * seed + 1)
end

return digits
