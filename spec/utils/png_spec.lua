--- PNG of all filters and several chunks of data come back as they were written; damaged files are
-- errors that say so.
local cusp = require "cusp"
local folders = require "spec.support.folder"
local utils = cusp.utils

-- Pixels for which a writer chooses different filters from row to row.
local function picture(height, width, channels)
  local values, state = {}, 7
  for y = 1, height do
    for x = 1, width do
      for c = 1, channels do
        state = (state * 1103515245 + 12345) % 2147483648
        local noise = y % 3 == 0 and state // 65536 % 200 or state // 65536 % 5
        values[#values + 1] = (3 * x + 5 * y + 40 * c + noise) % 256
      end
    end
  end
  return cusp.tensor(values, {shape = {height, width, channels}, dtype = "uint8"})
end

local modes = {[1] = "grayscale", [3] = "rgb", [4] = "rgba"}

local function read_back(path, channels)
  return utils.img_to_array(utils.load_img(path, {color_mode = modes[channels]}),
    {dtype = "uint8"}):flat()
end

local function bytes_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

describe("PNG", function()
  for _, channels in ipairs{1, 3, 4} do
    for _, size in ipairs{{1, 1}, {1, 9}, {9, 1}, {40, 33}, {150, 170}} do
      it(("of %d channels and %d x %d pixels is read as written"):format(channels, size[1],
        size[2]), function()
        local scope <close> = folders.new()
        local path, pixels = scope.path .. "/a.png", picture(size[1], size[2], channels)
        utils.save_img(path, pixels, {scale = false})
        assert.same(pixels:flat(), read_back(path, channels))
      end)
    end
  end

  it("of RGBA is read as RGB without alpha", function()
    local scope <close> = folders.new()
    local path, pixels = scope.path .. "/a.png", picture(20, 30, 4)
    utils.save_img(path, pixels, {scale = false})
    assert.same(pixels:slice{"...", {1, 3}}:flat(), read_back(path, 3))
  end)

  it("whose data are damaged or end early is an error", function()
    local scope <close> = folders.new()
    local path = scope.path .. "/a.png"
    utils.save_img(path, picture(60, 70, 3), {scale = false})
    local whole = bytes_of(path)
    for _, damaged in ipairs{whole:sub(1, #whole // 2), whole:sub(1, -13),
      whole:sub(1, 200) .. "\0\0\0\0" .. whole:sub(205)} do
      local file <close> = assert(io.open(path, "wb"))
      file:write(damaged)
      file:flush()
      assert.error_matches(function() utils.load_img(path) end, "PNG")
    end
  end)
end)
