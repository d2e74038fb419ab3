-- Pictures with boxes and masks; expected masks are what Keras draws.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local message = require "spec.support.message"
local ops, visualization = cusp.ops, cusp.visualization

local function size_of(path)
  local picture = cusp.utils.load_img(path)
  return picture.shape[1], picture.shape[2]
end

describe("segmentation masks", function()
  local images, masks

  before_each(function()
    images = ops.reshape(cusp.arange(36.0), {2, 2, 3, 3}) * 7
    masks = cusp.tensor({{{0, 1, 2}, {3, -1, 2}}, {{1, 1, 0}, {2, 2, 3}}}, {dtype = "int32"})
  end)

  it("are painted as Keras paints them", function()
    local drawn = visualization.draw_segmentation_masks(images, masks:expand_dims(-1))
    assert.equal("uint8", drawn.dtype)
    assert.same({{{{0, 1, 2}, {5, 107, 31}, {10, 213, 60}},
      {{63, 70, 77}, {84, 91, 98}, {22, 225, 73}}},
      {{{26, 128, 52}, {30, 132, 57}, {33, 35, 36}},
        {{39, 242, 90}, {43, 246, 94}, {231, 238, 245}}}}, drawn:tolist())
    drawn = visualization.draw_segmentation_masks(images, masks,
      {num_classes = 4, alpha = 0.5, ignore_index = 2})
    assert.same({{0, 3, 7}, {11, 77, 33}, {42, 49, 56}}, drawn[1][1]:tolist())
    assert.same({{189, 196, 203}, {210, 217, 224}, {117, 182, 169}}, drawn[2][2]:tolist())
    drawn = visualization.draw_segmentation_masks(images, masks,
      {num_classes = 2, color_mapping = {[0] = {1, 2, 3}, {9, 8, 7}}, blend = false})
    assert.equal("float32", drawn.dtype)
    assert.same({{1, 2, 3}, {9, 8, 7}, {42, 49, 56}}, drawn[1][1]:tolist())
  end)

  it("have to be integers for a batch of pictures, with a color for each class", function()
    local draw = visualization.draw_segmentation_masks
    assert.matches("integers, got dtype float32", message(draw, images, masks * 1.0), 1, true)
    assert.matches("a batch of pictures", message(draw, images[1], masks), 1, true)
    assert.matches("no color for class 1",
      message(draw, images, masks, {color_mapping = {[0] = {1, 2, 3}}}), 1, true)
    assert.matches("a table by class", message(draw, images, masks, {color_mapping = 3}), 1, true)
    assert.matches("more than the 65536", message(draw, images, masks, {num_classes = 1 << 60}), 1,
      true)
  end)
end)

describe("bounding boxes", function()
  local images, boxes

  before_each(function()
    images = cusp.zeros({2, 20, 30, 3}, {dtype = "uint8"})
    boxes = {boxes = cusp.tensor{{{4, 6, 14, 12}, {0, 0, 3, 3}}, {{8, 2, 20, 18}, {1, 1, 2, 2}}},
      labels = cusp.tensor{{0, -1}, {1, 1}}}
  end)

  it("have sides of the colour, and missing boxes none", function()
    local drawn = visualization.draw_bounding_boxes(images, boxes, "xyxy",
      {color = {255, 10, 0}, line_thickness = 1})
    assert.same({2, 20, 30, 3}, drawn.shape)
    assert.equal("uint8", drawn.dtype)
    local first = drawn[1]
    for _, place in ipairs{{7, 5}, {7, 15}, {13, 5}, {13, 15}, {10, 5}, {7, 9}} do
      assert.same({255, 10, 0}, first[place[1]][place[2]]:tolist())
    end
    for _, place in ipairs{{1, 1}, {10, 9}, {14, 5}, {6, 5}} do
      assert.same({0, 0, 0}, first[place[1]][place[2]]:tolist())
    end
    assert.same({255, 10, 0}, drawn[2][2][2]:tolist())
    assert.same(images:tolist(), cusp.zeros({2, 20, 30, 3}):tolist())
  end)

  it("may be given in other formats, on pictures of one channel, and channels first", function()
    local options = {color = {200, 0, 0}, line_thickness = 1}
    local expected = visualization.draw_bounding_boxes(images, boxes, "xyxy", options)
    local relative = {labels = boxes.labels,
      boxes = boxes.boxes / cusp.tensor{30.0, 20.0, 30.0, 20.0} + 1e-6}
    assert.same(expected:tolist(),
      visualization.draw_bounding_boxes(images, relative, "rel_xyxy", options):tolist())
    options.data_format = "channels_first"
    local first = visualization.draw_bounding_boxes(ops.transpose(images, {1, 4, 2, 3}), boxes,
      "xyxy", options)
    assert.same(expected:tolist(), ops.transpose(first, {1, 3, 4, 2}):tolist())
    local grey = visualization.draw_bounding_boxes(cusp.ones{2, 20, 30, 1}, boxes, "xyxy",
      {color = {200, 0, 0}, line_thickness = 1})
    assert.same({2, 20, 30, 1}, grey.shape)
    assert.equal(200, grey[1][7][5]:item())
    assert.equal(255, grey[1][1][1]:item())
  end)

  it("have names and confidences where there are some", function()
    local named = {boxes = cusp.tensor{{{4, 2, 44, 38}}}, labels = cusp.tensor{{1}}}
    local blank = cusp.zeros({1, 40, 60, 3}, {dtype = "uint8"})
    local options = {font_scale = 0.5, line_thickness = 1}
    local function drawn_pixels()
      return ops.sum(ops.cast(visualization.draw_bounding_boxes(blank, named, "xyxy", options),
        "int32")):item()
    end
    local plain = drawn_pixels()
    options.class_mapping = {[0] = "no"}
    assert.equal(plain, drawn_pixels())
    options.class_mapping = {"cat"}
    local with_name = drawn_pixels()
    assert.is_true(with_name > plain)
    named.confidences = cusp.tensor{{0.25}}
    assert.is_true(drawn_pixels() > with_name)
  end)

  it("need boxes, labels and a colour", function()
    local draw = visualization.draw_bounding_boxes
    assert.matches("the fields `boxes`", message(draw, images, {boxes = boxes.boxes}, "xyxy"), 1,
      true)
    assert.matches("red, green and blue", message(draw, images, boxes, "xyxy", {color = "red"}), 1,
      true)
    assert.matches("1 or 3 channels", message(draw, cusp.zeros{1, 2, 2, 2}, boxes, "xyxy"), 1, true)
    assert.matches("a batch of pictures", message(draw, images[1], boxes, "xyxy"), 1, true)
    local function refuses(text, changes, options)
      for name, value in pairs(boxes) do changes[name] = changes[name] or value end
      assert.matches(text, message(draw, images, changes, "xyxy", options), 1, true)
    end
    refuses("`labels` should be numbers [batch, boxes], here [2, 2]", {labels = 1})
    refuses("`labels` should be", {labels = cusp.zeros{2, 1}})
    refuses("`labels` should be", {labels = {{"a", "b"}, {"c", "d"}}})
    refuses("`confidences` should be", {confidences = cusp.zeros{1, 2}})
    refuses("a batch of 2 as the pictures", {boxes = cusp.zeros{1, 2, 4}})
    refuses("a table by class", {}, {class_mapping = 5})
  end)
end)

describe("galleries", function()
  it("are PNG files with a cell for each picture", function()
    local images = cusp.random.uniform({5, 8, 8, 3}, {maxval = 255})
    local logs <close> = folder.new()
    local path = logs.path .. "/gallery.png"
    visualization.plot_image_gallery(images, {path = path, scale = 1, dpi = 72})
    assert.same({4 + 3 * 76, 4 + 1 * 76}, {size_of(path)})
    visualization.plot_image_gallery(images, {path = path, rows = 1, cols = 5, scale = 1, dpi = 72,
      y_true = {0, 1, 0, 1, 2}, label_map = {[0] = "a", "b"}})
    assert.same({4 + 76 + 14, 4 + 5 * 76}, {size_of(path)})
    local masks = cusp.ones({5, 8, 8, 1}, {dtype = "int32"})
    visualization.plot_segmentation_mask_gallery(images, 2, {y_true = masks, y_pred = masks,
      path = path, scale = 1, dpi = 72})
    assert.same({4 + 5 * 76, 4 + 3 * 76}, {size_of(path)})
    local boxes = {boxes = cusp.zeros{5, 1, 4}, labels = cusp.zeros{5, 1}}
    visualization.plot_bounding_box_gallery(images, "xywh", {y_true = boxes, y_pred = boxes,
      legend = true, path = path, scale = 1, dpi = 72})
    assert.same({4 + 3 * 76 + 20, 4 + 76}, {size_of(path)})
  end)

  it("show what the pictures hold", function()
    local logs <close> = folder.new()
    local path = logs.path .. "/gallery.png"
    visualization.plot_image_gallery(ops.full({1, 4, 4, 1}, 0.5),
      {path = path, value_range = {0, 1}, scale = 1, dpi = 72})
    local middle = cusp.utils.load_img(path)[40][40]:tolist()
    for i = 1, 3 do assert.near(127, middle[i], 1) end
  end)

  it("have sides that a picture can have", function()
    local place <close> = folder.new()
    local path = place.path .. "/g.png"
    for _, options in ipairs{{scale = 1e9}, {dpi = math.huge}, {rows = 1 << 60}} do
      options.path = path
      assert.matches("a side has from 1 to 20000",
        message(visualization.plot_image_gallery, cusp.zeros{2, 4, 4, 3}, options), 1, true)
    end
    assert.is_nil(io.open(path))
  end)

  it("go to a file or a notebook, and labels want names", function()
    local images = cusp.zeros{1, 4, 4, 3}
    local plot = visualization.plot_image_gallery
    assert.matches("give `path`", message(plot, images), 1, true)
    assert.matches("ends in .png", message(plot, images, {path = "a.jpg"}), 1, true)
    assert.matches("plot_bounding_box_gallery: argument 'bounding_box_format' should be one of",
      message(visualization.plot_bounding_box_gallery, images, "xyzy", {path = "a.png"}), 1, true)
    assert.matches("not both", message(visualization.plot_bounding_box_gallery, images, "xyxy",
      {legend = true, legend_handles = {}, path = "a.png"}), 1, true)
    assert.matches("either `path` or `show`",
      message(plot, images, {path = "a.png", show = true}), 1, true)
    assert.matches("need a `label_map`", message(plot, images, {y_true = {1}, path = "a.png"}), 1,
      true)
  end)
end)
