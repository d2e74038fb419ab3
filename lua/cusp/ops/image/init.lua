--- Operations on images.
-- @module cusp.ops.image
local absent = require "cusp.base.absent"
local define = require "cusp.ops.define"

local files = {
  resize = "resize scale_and_translate",
  sample = "map_coordinates affine_transform perspective_transform",
  blur = "gaussian_blur elastic_transform",
  pixels = "rgb_to_grayscale rgb_to_hsv hsv_to_rgb pad_images crop_images sobel_edges ssim "
    .. "extract_patches "
    .. "extract_patches_3d",
}

local members = {}
for file, names in pairs(files) do
  for name in names:gmatch "%S+" do members[name] = file end
end

return setmetatable({}, {
  __name = "cusp.ops.image",
  __members = members, __pairs = absent.pairs,
  __index = function(image, name)
    if not members[name] then return absent.note(image, name) end
    require("cusp.ops.image." .. members[name])
    local f = define.functions["image." .. name]
    rawset(image, name, f)
    return f
  end,
})
