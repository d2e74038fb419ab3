-- Image layers: common behaviour, random draws, and results for given numbers, compared with
-- Keras's layers (spec/fixtures/layers).
local cusp = require "cusp"
local layers, ops, random = cusp.layers, cusp.ops, cusp.random

local fixture = "spec/fixtures/layers/image_layers.npz"

local function integers(shape, high)
  return ops.cast(random.randint(shape, 0, high or 256, {seed = 5}), "float32")
end

local function close(want, got, tolerance)
  assert.same(want.shape, got.shape)
  local difference = ops.max(ops.abs(ops.cast(want, "float32") - ops.cast(got, "float32"))):item()
  assert.truthy(difference <= (tolerance or 1e-4), ("differs by %g"):format(difference))
end

local function equal(a, b)
  assert.same(a.shape, b.shape)
  assert.same(a:flat(), b:flat())
end

local function vector(...) return cusp.tensor({...}, {dtype = "float32"}) end
local function per_image(...) return vector(...):reshape{-1, 1, 1, 1} end

-- class, arguments, and: sized (makes images of 4 x 6), always (active at inference), ints
-- (integers stay integers)
local rows = {
  {"Resizing", {height = 4, width = 6}, sized = true, always = true, ints = true},
  {"CenterCrop", {height = 4, width = 6}, sized = true, always = true},
  {"RandomCrop", {height = 4, width = 6}, sized = true},
  {"RandomFlip", {}}, {"RandomFlip", {mode = "horizontal"}}, {"RandomFlip", {mode = "vertical"}},
  {"RandomRotation", {factor = 0.2}},
  {"RandomRotation", {factor = {-0.1, 0.3}, fill_mode = "constant", fill_value = 3}},
  {"RandomTranslation", {height_factor = 0.3, width_factor = {-0.1, 0.2}}},
  {"RandomZoom", {height_factor = 0.3}},
  {"RandomZoom", {height_factor = {-0.3, 0.1}, width_factor = 0.5, interpolation = "nearest"}},
  {"RandomShear", {x_factor = 0.4, y_factor = {0.1, 0.2}}}, {"RandomPerspective", {}},
  {"RandomElasticTransform", {}},
  {"RandomBrightness", {factor = 0.2}}, {"RandomContrast", {factor = 0.2}},
  {"RandomHue", {factor = 0.2}},
  {"RandomSaturation", {factor = {0.2, 0.8}}}, {"RandomSharpness", {factor = 0.6}},
  {"RandomGrayscale", {}}, {"RandomInvert", {}},
  {"RandomPosterization", {factor = 4}}, {"RandomErasing", {fill_value = 7}},
  {"RandomErasing", {fill_value = {1, 2, 3}}},
  {"RandomGaussianBlur", {}},
  {"RandomGaussianBlur", {kernel_size = 11, sigma = {0.5, 1.0}, factor = {1, 1}}},
  {"RandomColorJitter",
    {brightness_factor = 0.2, contrast_factor = 0.2, saturation_factor = {0.2, 0.8},
      hue_factor = 0.1}},
  {"RandomColorDegeneration", {factor = 0.4}}, {"RandAugment", {}}, {"AugMix", {}},
  {"AugMix", {all_ops = false, num_chains = 2}},
  {"MixUp", {}}, {"CutMix", {}}, {"Solarization", {addition_factor = 0.1, threshold_factor = 0.5}},
  {"AutoContrast", {}, always = true},
  {"Equalization", {}},
  {"ContrastLimitedAdaptiveHistogramEqualization", {tile_grid_size = {2, 3}}, always = true,
    ints = true},
  {"MaxNumBoundingBoxes", {max_number = 2}, ints = true},
}

local function make(row, extra)
  local arguments = {}
  for key, value in pairs(row[2]) do arguments[key] = value end
  local declared = require("cusp.base.arguments").declaration(layers[row[1]]).named
  if declared.seed then arguments.seed = 3 end
  for key, value in pairs(extra or {}) do arguments[key] = value end
  return layers[row[1]](arguments)
end

describe("every layer of images:", function()
  local batch = integers{3, 9, 8, 3}

  for i, row in ipairs(rows) do
    local function test(what, f) it(("%s (%d): %s"):format(row[1], i, what), f) end
    local size = row.sized and {4, 6} or {9, 8}

    test("shapes and dtypes", function()
      local layer = make(row)
      assert.same({3, size[1], size[2], 3}, layer(batch, {training = true}).shape)
      assert.same({size[1], size[2], 3}, layer(batch[1], {training = true}).shape)
      assert.same({cusp.None, size[1], size[2], 3}, layer:compute_output_shape{cusp.None, 9, 8, 3})
      local bytes = ops.cast(batch, "uint8")
      for _, training in ipairs{true, false} do
        assert.equal(row.ints and "uint8" or "float32", layer(bytes, {training = training}).dtype)
      end
      assert.equal("float16", make(row, {dtype = "float16"})(batch, {training = true}).dtype)
    end)

    test("nothing happens at inference", function()
      if row.always then return end
      equal(batch, make(row)(batch, {training = false}))
    end)

    test("the same with channels first", function()
      local first = make(row, {data_format = "channels_first"})(ops.moveaxis(batch, 4, 2),
        {training = true})
      close(make(row)(batch, {training = true}), ops.moveaxis(first, 2, 4), 1e-2)
    end)

    test("the same in a plan, with fresh numbers at each run", function()
      local eager, compiled = make(row), make(row)
      local f = cusp.compile(function(x) return compiled(x, {training = true}) end)
      for _ = 1, 3 do close(eager(batch, {training = true}), f(batch), 1e-2) end
    end)

    test("the configuration comes back", function()
      local layer = make(row)
      local text = cusp.json.encode(layer:get_config())
      local copy = layers[row[1]]:from_config(cusp.json.decode(text))
      assert.equal(text, cusp.json.encode(copy:get_config()))
      assert.equal("channels_last", layer:get_config().data_format)
      assert.is_nil(layer:get_config().bounding_box_format)
      close(layer(batch, {training = true}), copy(batch, {training = true}), 1e-6)
    end)

    test("in a model, with sizes known or not", function()
      for _, shape in ipairs{{9, 8, 3}, {cusp.None, cusp.None, 3}} do
        local input = cusp.Input{shape = shape}
        local pooled = layers.GlobalAveragePooling2D()(make(row)(input))
        local model = cusp.Model{input, layers.Dense(2)(pooled)}
        model:compile{optimizer = cusp.optimizers.SGD(1e-6), loss = "mse"}
        local history = model:fit{batch, cusp.zeros{3, 2}, epochs = 2, batch_size = 2, verbose = 0}
        assert.truthy(history.history.loss[2] < math.huge)
        local means = cusp.Model{input, pooled}:predict{batch, verbose = 0}
        if not row.always then close(ops.mean(batch, {2, 3}), means, 1e-2) end
      end
    end)

    test("tables of images, labels, masks and boxes", function()
      local layer = make(row, {bounding_box_format = "rel_xywh"})
      local data = {
        images = batch, labels = cusp.tensor{{0, 1}, {1, 0}, {0, 1}},
        segmentation_masks = integers({3, 9, 8, 1}, 3), other = batch,
      }
      local refuses = {CutMix = true, AugMix = true, RandomElasticTransform = true}
      if not refuses[row[1]] then
        data.bounding_boxes = {boxes = random.uniform{3, 2, 4},
          labels = cusp.tensor{{1, 2}, {3, 4}, {5, 6}}}
      end
      local result = layer(data, {training = true})
      assert.same({3, size[1], size[2], 3}, result.images.shape)
      assert.same({3, 2}, result.labels.shape)
      assert.same({3, size[1], size[2], 1}, result.segmentation_masks.shape)
      assert.equal(batch, result.other)
      assert.equal(batch, data.images)
      if data.bounding_boxes then
        assert.same({3, row[1] == "MixUp" and 4 or 2, 4}, result.bounding_boxes.boxes.shape)
        local one = layer({images = batch[1], labels = data.labels[1], bounding_boxes = {
          boxes = data.bounding_boxes.boxes[1], labels = data.bounding_boxes.labels[1],
        }}, {training = true})
        assert.same({size[1], size[2], 3}, one.images.shape)
        assert.same({2}, one.labels.shape)
        assert.same(2, #one.bounding_boxes.boxes.shape)
      else
        data.bounding_boxes = {boxes = random.uniform{3, 2, 4},
          labels = cusp.tensor{{1, 2}, {3, 4}, {5, 6}}}
        assert.has_error(function() layer(data, {training = true}) end)
      end
    end)
  end
end)

describe("given what was drawn, layers do what Keras's do:", function()
  local keras = cusp.load(fixture)
  local images = keras.images

  local function same_images(name, layer, transformation, inputs)
    it(name, function()
      layer:build{2, 9, 8, 3}
      close(keras[name], layer:transform_images(inputs or images, transformation), 1e-3)
    end)
  end

  same_images("brightness", layers.RandomBrightness(0.2), {change = per_image(20, -30)})
  same_images("contrast", layers.RandomContrast(0.2), {contrast = per_image(1.5, 0.5)})
  same_images("hue", layers.RandomHue(0.2), {turn = vector(0.1, -0.3):reshape{2, 1, 1}})
  same_images("saturation", layers.RandomSaturation(0.2),
    {strength = vector(0.5, 1.5):reshape{2, 1, 1}})
  same_images("sharpness", layers.RandomSharpness(0.2), {factor = per_image(0.1, 0.9)})
  same_images("posterization", layers.RandomPosterization(4), {step = per_image(2 ^ 5, 2 ^ 7)})
  same_images("degeneration", layers.RandomColorDegeneration(0.2), {factor = per_image(0.3, 0.8)})
  same_images("solarization", layers.Solarization(0.2, 0.3),
    {addition = per_image(20, 40), threshold = per_image(100, 200)})
  same_images("blur", layers.RandomGaussianBlur{1.0, kernel_size = {3, 5}}, {
    chosen = cusp.tensor{true, true}:reshape{2, 1, 1, 1}, sigma = vector(0.7, 0.9),
  })
  same_images("equalization", layers.Equalization(), {})
  same_images("equalization_of_units", layers.Equalization{value_range = {0, 1}, bins = 64}, {},
    images / 255)
  same_images("auto_contrast", layers.AutoContrast(), {})
  local CLAHE = layers.ContrastLimitedAdaptiveHistogramEqualization
  same_images("clahe", CLAHE{tile_grid_size = {2, 3}}, {})
  same_images("clahe_of_units",
    CLAHE{value_range = {0, 1}, clip_limit = 1.5, tile_grid_size = {3, 2}}, {}, images / 255)

  local translation = {1, 0, vector(-1.5, -0.3), 0, 1, vector(2.2, -3.1)}
  local across, down = vector(0.7, 1.4), vector(1.3, 0.6)
  local zoom = {across, 0, (1 - across) * 3.5, 0, down, (1 - down) * 4}
  local angle = vector(30, -75) * (math.pi / 180)
  local cos, sin = angle:cos(), angle:sin()
  local rotation = {cos, -sin, 3.5 - cos * 3.5 + sin * 4, sin, cos, 4 - sin * 3.5 - cos * 4}
  same_images("translation", layers.RandomTranslation(0.2, 0.2), {matrix = translation})
  for _, mode in ipairs{"reflect", "wrap", "constant", "nearest"} do
    same_images("zoom_" .. mode, layers.RandomZoom{0.2, fill_mode = mode, fill_value = 7},
      {matrix = zoom})
  end
  same_images("shear", layers.RandomShear(0.2),
    {matrix = {1, vector(0.3, 0.1), 0, vector(-0.2, 0.4), 1, 0}})
  same_images("rotation", layers.RandomRotation(0.2), {matrix = rotation})

  local function same_boxes(name, layer, transformation)
    it("boxes: " .. name, function()
      transformation = transformation or {}
      transformation.height, transformation.width = 9, 8
      local result = layer:transform_bounding_boxes({boxes = keras.boxes, labels = keras.labels},
        transformation)
      close(keras[name .. "_boxes"], result.boxes)
      equal(keras[name .. "_labels"], result.labels)
    end)
  end

  local form = "xyxy"
  same_boxes("flip", layers.RandomFlip{"horizontal", bounding_box_format = form},
    {flips = cusp.tensor{{true}, {false}}})
  same_boxes("translation", layers.RandomTranslation{0.2, 0.2, bounding_box_format = form},
    {matrix = translation})
  same_boxes("zoom", layers.RandomZoom{0.2, bounding_box_format = form}, {matrix = zoom})
  same_boxes("rotation", layers.RandomRotation{0.2, bounding_box_format = form},
    {matrix = rotation})
  same_boxes("resizing", layers.Resizing{20, 10, bounding_box_format = form})
  same_boxes("resizing_padded",
    layers.Resizing{20, 10, pad_to_aspect_ratio = true, bounding_box_format = form})
  same_boxes("resizing_cropped",
    layers.Resizing{20, 10, crop_to_aspect_ratio = true, bounding_box_format = form})
  same_boxes("center_crop", layers.CenterCrop{5, 4, bounding_box_format = "xywh"})
  same_boxes("center_crop_of_small", layers.CenterCrop{12, 10, bounding_box_format = form})
end)

describe("affine maps of whole pixels", function()
  local sampling = require "cusp.ops.image.sample"
  local images = integers{2, 6, 7, 3}

  it("are affine_transform, for all fill modes", function()
    local maps = {
      {1, 0, vector(2.5, -3.25), 0, 1, vector(-9.75, 1)},
      {vector(0.5, -1.5), 0, vector(1, 9.5), 0, vector(1.25, 2), vector(0, -3)},
      {vector(0.5, 1), vector(-0.25, 0.75), vector(3, -20), vector(0.5, 2), vector(1, -0.5),
        vector(-5, 0.5)},
    }
    for _, map in ipairs(maps) do
      local columns = {}
      for i = 1, 8 do
        local value = map[i] or 0
        columns[i] = type(value) == "number" and ops.full({2, 1}, value, "float32")
          or value:reshape{2, 1}
      end
      local transform = ops.concatenate(columns, 2)
      for _, mode in ipairs{"reflect", "wrap", "constant", "nearest", "mirror"} do
        for _, interpolation in ipairs{"bilinear", "nearest"} do
          local options = {interpolation = interpolation, fill_mode = mode, fill_value = 9,
            data_format = "channels_last"}
          close(ops.image.affine_transform(images, transform, options),
            sampling.affine(images, map, options), 1e-3)
        end
      end
    end
  end)

  it("stay within memory wherever they point", function()
    local far = {vector(1e30, -1e20), 0, vector(3e38, 0), 0, 1, vector(1e10, -1e10)}
    for _, mode in ipairs{"reflect", "wrap", "constant", "nearest", "mirror"} do
      sampling.affine(images, far,
        {interpolation = "bilinear", fill_mode = mode, fill_value = 0}):flat()
    end
  end)

  it("of elastic_transform: seeds, no distortion for alpha 0, errors", function()
    equal(images, ops.image.elastic_transform(images, 0, 2.0, {seed = 1}))
    local a = ops.image.elastic_transform(images, 3, 2.0, {seed = 1})
    equal(a, ops.image.elastic_transform(images, 3, 2.0, {seed = 1}))
    assert.truthy(ops.any(ops.not_equal(a, images)):item())
    assert.same({6, 7, 3}, ops.image.elastic_transform(images[1]).shape)
    assert.has_error(function() ops.image.elastic_transform(images, {sigma = -1}) end)
  end)
end)

describe("what is drawn:", function()
  -- The share of images (with a single value each, that of its first pixel) that satisfy a
  -- condition.
  local function share(condition) return ops.mean(ops.cast(condition, "float32")):item() end
  local function about(want, got, tolerance)
    assert.truthy(math.abs(want - got) <= tolerance, ("%g, not about %g"):format(got, want))
  end
  local many = ops.broadcast_to(integers{1, 2, 2, 3}, {2000, 2, 2, 3})

  it("RandomFlip flips half of the images, each as a whole", function()
    for mode, flipped in pairs{
      horizontal = ops.flip(many, 3), vertical = ops.flip(many, 2),
      horizontal_and_vertical = ops.flip(many, {2, 3}),
    } do
      local result = layers.RandomFlip{mode, seed = 1}(many, {training = true})
      local done, left = ops.all(ops.equal(result, flipped), {2, 3, 4}),
        ops.all(ops.equal(result, many), {2, 3, 4})
      assert.truthy(ops.all(ops.logical_xor(done, left)):item())
      about(0.5, share(done), 0.05)
    end
  end)

  it("probabilities are those of the factors", function()
    for factor, want in pairs{[1.0] = 0.5, [0.5] = 0.25} do
      local inverted = layers.RandomInvert{factor, seed = 1}(many)
      about(want, share(ops.all(ops.equal(inverted, 255 - many), {2, 3, 4})), 0.05)
    end
    about(0.3, share(ops.any(ops.not_equal(layers.RandomGrayscale{0.3, seed = 1}(many), many),
      {2, 3, 4})), 0.05)
    equal(255 - many, layers.RandomInvert{factor = {1, 1}, seed = 1}(many))
  end)

  it("RandomRotation turns counter-clockwise by shares of a turn", function()
    local image = integers{1, 5, 5, 2}
    local quarter = layers.RandomRotation{factor = {0.25, 0.25}}(image)
    close(ops.rot90(image, 1, {axes = {2, 3}}), quarter, 1e-2)
    equal(image, ops.round(layers.RandomRotation(0)(image)))
  end)

  it("RandomTranslation moves by shares of the sizes", function()
    local image = integers{1, 4, 8, 2}
    local moved = layers.RandomTranslation{height_factor = {0.25, 0.25},
      width_factor = {-0.25, -0.25}, fill_mode = "constant"}(image)
    local want = ops.pad(image:slice{{}, {1, 3}, {3, 8}, {}}, {{0, 0}, {1, 0}, {0, 2}, {0, 0}})
    equal(want, moved)
    equal(image, layers.RandomTranslation(0, 0)(image))
  end)

  it("RandomZoom: what is seen grows with the factor", function()
    local image = ops.pad(cusp.ones{1, 4, 4, 1}, {{0, 0}, {2, 2}, {2, 2}, {0, 0}})
    local function filled(factor)
      local zoom = layers.RandomZoom{height_factor = {factor, factor}, fill_mode = "constant",
        interpolation = "nearest"}
      return ops.sum(zoom(image)):item()
    end
    assert.equal(16.0, filled(0))
    assert.equal(64.0, filled(-0.5))
    assert.equal(4.0, filled(1))
  end)

  it("RandomBrightness: uniform shares of the range, clipped", function()
    local grey = ops.full({2000, 1, 1, 1}, 0.5)
    local result = layers.RandomBrightness{factor = 0.2, value_range = {0, 1}, seed = 1}(grey)
    about(0.3, ops.min(result):item(), 0.01)
    about(0.7, ops.max(result):item(), 0.01)
    about(0.5, ops.mean(result):item(), 0.01)
    local clipped = layers.RandomBrightness{factor = {0.9, 1.0}, value_range = {0, 1},
      seed = 1}(grey)
    equal(cusp.ones{2000, 1, 1, 1}, clipped)
  end)

  it("neutral factors leave images as they are", function()
    local image = integers{2, 6, 5, 3}
    for name, factor in pairs{
      RandomContrast = 0, RandomHue = 0, RandomSaturation = {0.5, 0.5},
      RandomSharpness = {0.5, 0.5}, RandomColorDegeneration = 0,
      RandomBrightness = 0, RandomPosterization = {8, 8},
    } do
      close(image, layers[name]{factor = factor}(image), 1e-2)
    end
    equal(image, layers.RandomColorJitter()(image))
  end)

  it("RandomContrast keeps the mean of each channel", function()
    local image = integers({4, 6, 5, 3}, 100) + 80
    close(ops.mean(image, {2, 3}), ops.mean(layers.RandomContrast{0.3, seed = 1}(image), {2, 3}),
      1e-2)
  end)

  it("RandomPosterization keeps the upper bits", function()
    local bytes = ops.reshape(ops.arange(0, 256), {1, 16, 16, 1})
    equal(ops.floor_divide(bytes, 64) * 64,
      ops.cast(layers.RandomPosterization{factor = {2, 2}}(bytes), "int32"))
  end)

  it("RandomErasing and CutMix: boxes of the shares that are asked for", function()
    local image = cusp.ones{1000, 20, 20, 1}
    local result = layers.RandomErasing{factor = {1, 1}, scale = {0.25, 0.25}, fill_value = 0,
      seed = 1}(image)
    close(ops.full({1000}, 0.75), ops.mean(result, {2, 3, 4}), 0.06)
    about(0.75, ops.mean(result):item(), 0.01)

    local numbered = ops.broadcast_to(ops.cast(ops.reshape(ops.arange(0, 40), {40, 1, 1, 1}),
      "float32"), {40, 30, 30, 1})
    local mixed = layers.CutMix{seed = 1}{images = numbered,
      labels = ops.one_hot(ops.arange(0, 40), 40)}
    close(ops.ones{40}, ops.sum(mixed.labels, 2), 1e-5)
    local seen = ops.mean(mixed.images, {2, 3, 4})
    close(seen, ops.matmul(mixed.labels,
      ops.cast(ops.reshape(ops.arange(0, 40), {40, 1}), "float32")):squeeze(2), 3)
  end)

  it("MixUp mixes images and labels alike", function()
    local numbered = ops.broadcast_to(ops.cast(ops.reshape(ops.arange(0, 40), {40, 1, 1, 1}),
      "float32"), {40, 2, 2, 1})
    local mixed = layers.MixUp{1.0, seed = 1}{images = numbered,
      labels = ops.cast(ops.arange(0, 40), "float32")}
    close(mixed.labels, ops.mean(mixed.images, {2, 3, 4}), 1e-4)
    assert.truthy(ops.any(ops.not_equal(mixed.labels, ops.round(mixed.labels))):item())
  end)

  it("RandomCrop gives parts at all places", function()
    local image = ops.cast(ops.reshape(ops.arange(0, 12), {1, 3, 4, 1}), "float32")
    local layer, corners = layers.RandomCrop{2, 2, seed = 1}, {}
    for _ = 1, 60 do
      local part = layer(image)
      local corner = part:item(1, 1, 1, 1)
      assert.same({corner, corner + 1, corner + 4, corner + 5}, part:flat())
      corners[corner] = true
    end
    for _, corner in ipairs{0.0, 1.0, 2.0, 4.0, 5.0, 6.0} do assert.truthy(corners[corner]) end
    assert.same({1, 5, 8, 1}, layers.RandomCrop(5, 8)(image).shape)
  end)

  it("Solarization turns what is above the threshold", function()
    local image = vector(10, 100, 200, 255):reshape{1, 2, 2, 1}
    equal(255 - image, layers.Solarization()(image))
    -- between 1 and 255
    local result = layers.Solarization{threshold_factor = {1, 1}, seed = 1}(image):flat()
    for i, value in ipairs(image:flat()) do
      assert.truthy(result[i] == value or result[i] == 255 - value)
    end
  end)

  it("MaxNumBoundingBoxes fills up and cuts off", function()
    local boxes = {boxes = cusp.ones{1, 2, 4}, labels = cusp.tensor{{1, 2}}}
    local function run(count)
      return layers.MaxNumBoundingBoxes(count){images = cusp.zeros{1, 2, 2, 1},
        bounding_boxes = boxes}.bounding_boxes
    end
    assert.same({{1, 2, -1}}, run(3).labels:tolist())
    assert.same({-1.0, -1.0, -1.0, -1.0}, run(3).boxes:tolist()[1][3])
    assert.same({{1}}, run(1).labels:tolist())
    assert.same({1, 1, 4}, run(1).boxes.shape)
  end)
end)

describe("layers of images", function()
  local batch = integers{4, 6, 6, 3}

  it("take training for true when nobody says otherwise, inside of models too", function()
    local layer = layers.RandomInvert{factor = {1, 1}}
    equal(255 - batch, layer(batch))
    equal(batch, layer(batch, {training = false}))
    local model = cusp.Sequential{layer, layers.Dropout(0.9)}
    equal(255 - batch, model(batch))
    equal(batch, model(batch, {training = false}))
    equal(batch, model:predict{batch, verbose = 0})
  end)

  it("follow what the model is told, also where Keras 3 wrote their default into a file", function()
    local input = cusp.Input{shape = {6, 6, 3}}
    local model = cusp.Model{input, layers.RandomInvert{factor = {1, 1}}(input)}
    local json = model:to_json{format = "keras3"}:gsub('"kwargs": {}',
      '"kwargs": {"training": true}')
    assert.truthy(json:find('"training": true', 1, true))
    local read = cusp.models.model_from_json(json)
    equal(batch, read:predict{batch, verbose = 0})
    equal(255 - batch, read(batch, {training = true}))
  end)

  it("are written as TF 2 knows them", function()
    local model = cusp.Sequential{cusp.Input{shape = {6, 6, 3}}, layers.Resizing(4, 4),
      layers.RandomZoom(0.1)}
    local config = cusp.json.decode(model:to_json()).config.layers
    local resizing, zoom = config[#config - 1].config, config[#config].config
    assert.is_nil(resizing.pad_to_aspect_ratio)
    assert.is_nil(resizing.data_format)
    assert.is_nil(zoom.data_format)
    assert.equal("reflect", zoom.fill_mode)
  end)

  it("repeat what they did with the same seed, and go on with other numbers", function()
    local a, b = layers.RandomRotation{0.5, seed = 9}, layers.RandomRotation{0.5, seed = 9}
    local first = a(batch)
    equal(first, b(batch))
    assert.truthy(ops.any(ops.not_equal(first, a(batch))):item())
  end)

  it("work in dataset:map, on elements and on batches", function()
    local flip = layers.RandomInvert{factor = {1, 1}}
    local function augment(x, y) return flip(x), y end
    local dataset = cusp.data.Dataset.from_tensor_slices{batch, cusp.tensor{1, 2, 3, 4}}
    for _, made in ipairs{dataset:map(augment):batch(4), dataset:batch(4):map(augment)} do
      for x, y in made:iterate() do
        equal(255 - batch, x)
        assert.same({1, 2, 3, 4}, y:flat())
      end
    end
  end)

  it("RandAugment and AugMix change images within the range of values", function()
    for _, layer in ipairs{layers.RandAugment{value_range = {0, 1}, seed = 2},
      layers.AugMix{value_range = {0, 1}, seed = 2}} do
      local result = layer(batch / 255)
      assert.truthy(ops.min(result):item() >= -1e-3 and ops.max(result):item() <= 1.001)
      assert.truthy(ops.any(ops.not_equal(result, batch / 255)):item())
    end
  end)

  it("convert boxes between all formats", function()
    local boxes = require "cusp.layers.image.bounding_boxes"
    local corners = cusp.tensor{{{1.0, 2.0, 5.0, 8.0}}}
    for format, want in pairs{
      xyxy = {1, 2, 5, 8}, yxyx = {2, 1, 8, 5}, xywh = {1, 2, 4, 6}, center_xywh = {3, 5, 4, 6},
      center_yxhw = {5, 3, 6, 4},
      rel_xyxy = {0.125, 0.125, 0.625, 0.5}, rel_yxyx = {0.125, 0.125, 0.5, 0.625},
      rel_xywh = {0.125, 0.125, 0.5, 0.375},
      rel_center_xywh = {0.375, 0.3125, 0.5, 0.375},
    } do
      local made = boxes.from_corners(format, 16, 8, boxes.corners(corners, "xyxy", 16, 8))
      close(cusp.tensor({{want}}, {dtype = "float32"}), made, 1e-6)
      close(corners, ops.concatenate({boxes.corners(made, format, 16, 8)}, -1), 1e-5)
    end
  end)

  it("say what is wrong", function()
    local function fails(pattern, f)
      local ok, message = pcall(f)
      assert.falsy(ok)
      assert.truthy(message:find(pattern, 1, true), message)
    end
    fails("argument 'factor' should be a number (or a list of two) between 0 and 1", function()
      layers.RandomContrast(1.5)
    end)
    fails("argument 'factor'", function() layers.RandomRotation{factor = {1, 2, 3}} end)
    fails("argument 'height_factor'", function() layers.RandomZoom(-1) end)
    fails("argument 'value_range' should be a list of two numbers", function()
      layers.RandomHue{0.1, value_range = 255}
    end)
    fails("argument 'mode' should be one of", function() layers.RandomFlip "diagonal" end)
    fails("should be odd", function() layers.RandomGaussianBlur{kernel_size = 4} end)
    fails("only one of", function()
      layers.Resizing{4, 4, crop_to_aspect_ratio = true, pad_to_aspect_ratio = true}
    end)
    fails('one of "xyxy"', function() layers.RandomFlip{bounding_box_format = "corners"} end)
    fails("expected one image of 3 axes or a batch of 4", function()
      layers.RandomFlip()(cusp.ones{2, 2})
    end)
    fails("requires 'images'", function() layers.RandomFlip(){labels = cusp.ones{2, 2}} end)
    local boxes = {boxes = cusp.ones{4, 1, 4}, labels = cusp.ones{4, 1}}
    fails("was made without 'bounding_box_format'", function()
      layers.RandomFlip(){images = batch, bounding_boxes = boxes}
    end)
    fails("does not know where bounding boxes go", function()
      layers.CutMix{bounding_box_format = "xyxy"}{images = batch, bounding_boxes = boxes}
    end)
    fails("boxes should have shape", function()
      layers.RandomFlip{bounding_box_format = "xyxy"}{images = batch,
        bounding_boxes = {boxes = cusp.ones{4, 4}, labels = boxes.labels}}
    end)
    fails("{boxes =, labels =}", function()
      layers.RandomFlip{bounding_box_format = "xyxy"}{images = batch,
        bounding_boxes = {boxes = boxes.boxes}}
    end)
    fails("3 channels", function() layers.RandomHue(0.1)(cusp.ones{1, 2, 2, 1}) end)
  end)
end)

describe("boxes beside images", function()
  local boxes = cusp.tensor({{1, 1, 4, 3}, {0, 0, 1, 1}}, {dtype = "float32"})
  local image = ops.zeros{1, 4, 6, 1}

  local function cropped(own, labels, images)
    local layer = layers.CenterCrop{2, 3, bounding_box_format = "xyxy"}
    return layer{images = images, bounding_boxes = {boxes = own, labels = labels}}.bounding_boxes
  end

  it("may do without the axis of the batch", function()
    local result = cropped(boxes, cusp.tensor{3, 5}, image)
    assert.same({{0, 0, 3, 2}, {0, 0, 0, 0}}, result.boxes:tolist())
    assert.same({3, -1}, result.labels:tolist())
    assert.same({{3, -1}},
      cropped(ops.expand_dims(boxes, 1), cusp.tensor{{3, 5}}, image).labels:tolist())
  end)

  it("have labels that fit them", function()
    local ok, message = pcall(cropped, ops.expand_dims(boxes, 1), cusp.tensor{3, 5}, image)
    assert.is_false(ok)
    assert.truthy(tostring(message):find("labels of boxes should have shape [batch, boxes]", 1,
      true), tostring(message))
  end)
end)
