local cusp = require "cusp"
local image = cusp.ops.image

describe("operations on images", function()
  local x = cusp.random.uniform({2, 4, 6, 3}, {seed = 1})

  it("resize, crop and pad", function()
    assert.same({2, 8, 3, 3}, image.resize(x, {8, 3}).shape)
    assert.same({2, 3, 4, 6},
      image.resize(cusp.ones{2, 3, 8, 3}, {4, 6}, {data_format = "channels_first"}).shape)
    assert.same(x:flat(), image.crop_images(image.pad_images(x, 1, 2, 3, 4), 1, 2, 3, 4):flat())
    assert.is_true((image.resize(cusp.ones{4, 4, 1}, {7, 9}, "bicubic") - 1):abs():max():item()
      < 1e-6)
  end)

  it("change colours there and back", function()
    assert.is_true((image.hsv_to_rgb(image.rgb_to_hsv(x)) - x):abs():max():item() < 1e-5)
    assert.same({2, 4, 6, 1}, image.rgb_to_grayscale(x).shape)
  end)

  it("filter and take patches", function()
    assert.is_true((image.gaussian_blur(cusp.ones{5, 5, 1})[3][3] - 1):abs():max():item() < 1e-6)
    assert.equal(0, image.sobel_edges(cusp.ones{1, 5, 5, 1}):slice{1, 3, 3}:abs():max():item())
    assert.same({2, 2, 3, 12}, image.extract_patches(x, 2).shape)
    assert.same({2, 4, 6, 12}, image.extract_patches(x, 2, {strides = 1, padding = "same"}).shape)
  end)

  it("read between elements and move", function()
    local ramp = cusp.tensor{{0.0, 1.0}, {2.0, 3.0}}
    assert.same({1.5, 3},
      image.map_coordinates(ramp, cusp.tensor{{0.5, 1.0}, {0.5, 1.0}}, 1):flat())
    assert.same({7}, image.map_coordinates(ramp, cusp.tensor{{5.0}, {0.0}}, 1,
      {fill_value = 7}):flat())
    assert.same(x:flat(), image.affine_transform(x, cusp.tensor{1.0, 0, 0, 0, 1, 0, 0, 0}):flat())
  end)

  it("take the nearest integers where images are integers", function()
    local board = cusp.tensor({{0, 255, 0, 255}, {255, 0, 255, 0}, {0, 255, 0, 255},
      {255, 0, 255, 0}}, {dtype = "uint8"}):reshape{4, 4, 1}
    local from, to = cusp.tensor{{0.0, 0}, {3, 0}, {0, 3}, {3, 3}},
      cusp.tensor{{0.3, 0.2}, {2.7, 0}, {0, 2.8}, {3, 3}}
    local moved = image.perspective_transform(board, from, to, {interpolation = "bilinear"})
    assert.same({0, 194, 48, 168, 174, 27, 189, 35, 47, 197, 65, 196, 203, 26, 216, 0},
      moved:flat())
    local blurred = image.gaussian_blur(board)
    assert.same("uint8", blurred.dtype)
    assert.same(cusp.ops.round(image.gaussian_blur(board:cast "float32")):flat(), blurred:flat())
  end)

  it("say what is wrong", function()
    for _, call in ipairs{
      function() image.resize(x, {3}) end,
      function() image.resize(x, {3, 3}, "linar") end,
      function() image.rgb_to_hsv(cusp.ones{2, 2, 4}) end,
      function() image.extract_patches(x, 9) end,
      function() image.crop_images(x, 3, 0, 3, 0) end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches("image_spec.lua:%d+: ", message)
    end
  end)
end)
