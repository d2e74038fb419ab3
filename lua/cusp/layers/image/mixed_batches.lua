--- Helpers of `MixUp` and `CutMix`: pairing images of the batch, and mixing labels.
-- @module cusp.layers.image.mixed_batches
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

local mixed = {}

--- Image numbers in random order.
function mixed.order(images, seed)
  return random.shuffle(ops.arange(0, images.shape[1], {dtype = "int32"}), {seed = seed})
end

--- Mixes `share` of x with the rest of its partner in `order`; in `share`, only the batch axis may
-- be larger than 1.
function mixed.blend(x, share, order)
  if not x.dtype:find "float" then x = ops.cast(x, share.dtype) end
  local shape = {-1}
  for i = 2, #x.shape do shape[i] = 1 end
  share = ops.cast(ops.reshape(share, shape), x.dtype)
  return ops.add(ops.multiply(share, x),
    ops.multiply(ops.subtract(1.0, share), ops.take(x, order, 1)))
end

return mixed
