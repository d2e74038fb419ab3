local cusp = require "cusp"
local utils = cusp.utils

describe("save_img", function()
  local path
  before_each(function() path = os.tmpname() .. ".png" end)
  after_each(function()
    os.remove(path)
    os.remove((path:gsub("%.png$", "")))
  end)

  it("writes what load_img reads", function()
    local picture = cusp.random.randint({5, 7, 3}, 0, 256, {dtype = "uint8"})
    utils.save_img(path, picture, {scale = false})
    assert.are.same(picture:tolist(), utils.load_img(path):tolist())
  end)

  it("stretches values to the whole range by default", function()
    utils.save_img(path, cusp.tensor{{-1.0, 0.0}, {0.5, 1.0}})
    assert.are.same({{{0}, {127}}, {{191}, {255}}},
      utils.load_img(path, {color_mode = "grayscale"}):tolist())
  end)

  it("takes channels first, and cuts off what does not fit", function()
    local picture = cusp.tensor({{{300, -20}}, {{10, 20}}, {{0, 1}}}, {dtype = "float32"})
    utils.save_img(path, picture, {data_format = "channels_first", scale = false})
    assert.are.same({{{255, 10, 0}, {0, 20, 1}}}, utils.load_img(path):tolist())
  end)

  it("says what it cannot write", function()
    assert.error_matches(function() utils.save_img("a.bmp", cusp.zeros{2, 2}) end, "written as PNG")
    assert.error_matches(function()
      utils.save_img(path, cusp.zeros{2, 2, 5})
    end, "1 to 4 channels")
    assert.error_matches(function() utils.save_img(path, "x") end, "expected a tensor")
    assert.error_matches(function()
      utils.save_img("/nowhere/at/all.png", cusp.zeros{2, 2})
    end, "/nowhere/at/all.png")
  end)
end)
