local cusp = require "cusp"
local fails = require "spec.support.fails"
local utils = cusp.utils
local Dataset = cusp.data.Dataset
local folder = "spec/fixtures/data/"

local function expected()
  local handle <close> = io.open(folder .. "pictures.json")
  return cusp.json.decode(handle:read "a")
end

describe("image_dataset_from_directory", function()
  local golden = expected()
  for name, options in pairs{
    rgb = {}, grayscale = {color_mode = "grayscale"}, crop = {crop_to_aspect_ratio = true},
    nearest = {interpolation = "nearest"},
    area = {interpolation = "area"},
  } do
    it("gives the pixels of TensorFlow: " .. name, function()
      options.image_size, options.shuffle, options.verbose = {6, 8}, false, false
      local dataset = utils.image_dataset_from_directory(folder .. "pictures", options)
      local images, labels = dataset:iterate()()
      assert.same(golden[name].labels, labels:tolist())
      assert.same({"cat", "dog"}, dataset.class_names)
      for i, path in ipairs(dataset.file_paths) do assert.equal(folder .. golden.paths[i], path) end
      local flat = images:flat()
      assert.equal(#golden[name].images, #flat)
      for i, value in ipairs(golden[name].images) do
        assert.is_true(math.abs(value - flat[i]) < 2e-3, ("pixel %d"):format(i))
      end
    end)
  end

  it("divides as Keras does", function()
    local training, validation = utils.image_dataset_from_directory(folder .. "pictures", {
      image_size = 6, seed = 7, validation_split = 0.3, subset = "both", verbose = false,
      batch_size = cusp.null,
    })
    for i, path in ipairs(training.file_paths) do
      assert.equal(folder .. golden.training[i], path)
    end
    for i, path in ipairs(validation.file_paths) do
      assert.equal(folder .. golden.validation[i], path)
    end
    assert.same({6, 6, 3}, training:iterate()().shape)
  end)

  it("encodes labels", function()
    local function labels(options)
      options.verbose, options.shuffle, options.image_size = false, false, 4
      local _, y = utils.image_dataset_from_directory(folder .. "pictures", options):iterate()()
      return y
    end
    assert.same({8, 1}, labels{label_mode = "binary"}.shape)
    assert.same({1, 0}, labels{label_mode = "categorical"}[1]:tolist())
    assert.is_nil(labels{label_mode = cusp.null})
    assert.same({5, 5, 5, 5, 6, 6, 6, 6}, labels{labels = {5, 5, 5, 5, 6, 6, 6, 6}}:tolist())
    assert.equal(1, labels({class_names = {"dog", "cat"}}):item(-1))
  end)

  it("refuses what Keras refuses", function()
    local function try(options)
      options.verbose = false
      return pcall(utils.image_dataset_from_directory, folder .. "pictures", options)
    end
    for text, options in pairs{
      ["validation_split should be between 0 and 1"] = {validation_split = 2, subset = "training",
        seed = 1},
      ["given together"] = {validation_split = 0.5},
      ["a seed must be given"] = {validation_split = 0.5, subset = "training"},
      ["got 'bird'"] = {class_names = {"bird"}},
      ["8 files"] = {labels = {1, 2}},
      ["color_mode"] = {color_mode = "cmyk"},
    } do
      local ok, message = try(options)
      assert.is_false(ok)
      assert.truthy(tostring(message):find(text, 1, true), tostring(message))
    end
    fails("is not a directory", utils.image_dataset_from_directory, folder .. "nothing")
    fails("no images found", utils.image_dataset_from_directory, "spec/core",
      {verbose = false, labels = cusp.null})
  end)

  it("loads single pictures", function()
    local image = utils.load_img(folder .. "pictures/cat/rgb.png")
    assert.same({20, 30, 3}, image.shape)
    assert.equal("uint8", image.dtype)
    assert.same({4, 5, 1},
      utils.load_img(folder .. "pictures/cat/rgb.png",
        {color_mode = "grayscale", target_size = {4, 5}}).shape)
    assert.equal("float32", utils.img_to_array(image).dtype)
    assert.same({3, 20, 30}, utils.img_to_array(image, {data_format = "channels_first"}).shape)
  end)
end)

describe("load_img", function()
  local function cases()
    local handle <close> = io.open(folder .. "single/load_img.json")
    return cusp.json.decode(handle:read "a")
  end

  it("gives Keras's pixels: filters, sizes, colours, 16 bits, transparency", function()
    for i, case in ipairs(cases()) do
      local image = utils.load_img(folder .. case.path, case.options)
      local bytes = image:tobytes():gsub(".", function(c) return ("%02x"):format(c:byte()) end)
      assert.same(case.shape, image.shape)
      assert.equal(case.dtype, image.dtype)
      assert.equal(case.bytes, bytes, ("case %d, %s"):format(i, case.path))
    end
  end)

  it("keeps the pixels where the size is the file's", function()
    local path = folder .. "pictures/cat/alpha.PNG"
    local whole = utils.load_img(path, {color_mode = "rgba"})
    assert.equal(whole:tobytes(), utils.load_img(path, {color_mode = "rgba",
      target_size = {16, 16}, interpolation = "lanczos"}):tobytes())
  end)

  it("resizes to and from single pixels", function()
    local path = folder .. "pictures/cat/grey.png"
    for _, size in ipairs{{1, 1}, {1, 500}, {500, 1}} do
      for _, keep in ipairs{true, false} do
        assert.same({size[1], size[2], 3}, utils.load_img(path,
          {target_size = size, interpolation = "bicubic", keep_aspect_ratio = keep}).shape)
      end
    end
  end)

  it("refuses filters that Keras does not have", function()
    fails("load_img", utils.load_img, folder .. "pictures/cat/grey.png", {interpolation = "area"})
  end)
end)

describe("text_dataset_from_directory", function()
  it("reads files and classes", function()
    local base = os.tmpname()
    os.remove(base)
    for name, text in pairs{["a/1.txt"] = "hello", ["b/2.txt"] = "x", ["b/3.txt"] = "yy",
      ["b/4.md"] = "no"} do
      require("cusp.engine").files.make_directories(base .. "/" .. name:sub(1, 1))
      local handle <close> = io.open(base .. "/" .. name, "w")
      handle:write(text)
    end
    local dataset = utils.text_dataset_from_directory(base,
      {shuffle = false, verbose = false, max_length = 4})
    local texts, labels = dataset:iterate()()
    assert.same({"hell", "x", "yy"}, texts)
    assert.same({0, 1, 1}, labels:tolist())
    os.execute(("rm -r '%s'"):format(base))
  end)
end)

describe("timeseries_dataset_from_array", function()
  it("makes windows", function()
    local x, y = utils.timeseries_dataset_from_array(cusp.arange(20), cusp.arange(20), 4,
      {sampling_rate = 2, sequence_stride = 3, batch_size = 3, start_index = 2}):iterate()()
    assert.same({{2, 4, 6, 8}, {5, 7, 9, 11}, {8, 10, 12, 14}}, x:tolist())
    assert.same({2, 5, 8}, y:tolist())
    local all = utils.timeseries_dataset_from_array(cusp.arange(99), cusp.null, 10,
      {sampling_rate = 2, sequence_stride = 3, batch_size = 99})
    local windows = all:iterate()()
    assert.same({27, 10}, windows.shape)
    assert.same({78, 80, 82, 84, 86, 88, 90, 92, 94, 96}, windows[27]:tolist())
    local short = utils.timeseries_dataset_from_array(cusp.arange(9), cusp.arange(9), 10)
    assert.same({0, nil}, {#short, short:iterate()()})
    local shuffled = utils.timeseries_dataset_from_array(cusp.arange(9), cusp.null, 2,
      {shuffle = true, seed = 1}):iterate()()
    assert.equal(8, #shuffled)
    fails("sampling_rate should be lower than", utils.timeseries_dataset_from_array, cusp.arange(5),
      cusp.null, 2, {sampling_rate = 9})
    fails("end_index", utils.timeseries_dataset_from_array, cusp.arange(5), cusp.null, 2,
      {end_index = 9})
  end)
end)

describe("split_dataset", function()
  it("divides datasets", function()
    local left, right = utils.split_dataset(Dataset.range(10), 0.3)
    assert.same({3, 7}, {#left, #right})
    left, right = utils.split_dataset(Dataset.range(10):shuffle(10), {right_size = 4})
    local seen = {}
    for x in left:concatenate(right):iterate() do seen[#seen + 1] = x:item() end
    table.sort(seen)
    assert.same({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, seen)
    left, right = utils.split_dataset(Dataset.range(6), {left_size = 3, shuffle = true, seed = 2})
    seen = {}
    for x in left:concatenate(right):iterate() do seen[x:item()] = true end
    for i = 0, 5 do assert.is_true(seen[i]) end
    for _, case in ipairs{{{right_size = 0.25}, 8, 2}, {{left_size = 0.25}, 2, 8},
      {{left_size = 0.55}, 6, 4}, {{left_size = 0.35, right_size = 0.35}, 4, 4},
      {{left_size = 0.33, right_size = 0.34}, 3, 3}} do
      local a, b = utils.split_dataset(cusp.arange(10), case[1])
      assert.same({case[2], case[3]}, {#a, #b})
    end
    fails("neither should be empty", utils.split_dataset, cusp.arange(10), {right_size = 0.05})
    fails("neither should be empty", utils.split_dataset, cusp.arange(3), 0.1)
    fails("has no end", utils.split_dataset, Dataset.range(3):repeat_(), 0.5)
  end)
end)
