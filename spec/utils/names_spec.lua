-- Progbar, get_file, sounds, pictures as tensors, functions between symbolic tensors.
local cusp = require "cusp"
local folder = require "spec.support.folder"
local progress = require "cusp.base.progress"
local text_files = require "spec.support.text_files"
local waves = require "spec.support.waves"

local utils = cusp.utils

-- What a program writes to standard output.
local function output_of(program)
  local place <close> = folder.new()
  text_files.write(place.path .. "/program.lua", program)
  local build = os.getenv "CUSP_BUILD" or "build"
  local pipe <close> = assert(io.popen(("%s/cusp %s/program.lua 2>&1"):format(build, place.path)))
  return pipe:read "a"
end

describe("Progbar", function()
  it("averages values, but for those that are told", function()
    local text = output_of [[
      local bar = require("cusp").utils.Progbar{4, stateful_metrics = {"now"}, unit_name = "sample"}
      for i = 1, 3 do bar:update(i, {{"mean", i}, {"now", i}}) end
      bar:update(4, {{"mean", 7}, {"now", 9}}, true)
    ]]
    assert.matches("^4/4 %[=+%] %- 0s %S+/sample %- mean: 7.0000 %- now: 9.0000\n$", text)
    text = output_of [[
      local bar = require("cusp").utils.Progbar(3, {verbose = 2})
      bar:add(1, {{"loss", 1}})
      bar:add(2, {{"loss", 4}})
    ]]
    assert.matches("^3/3 %- 0s %- %S+/step %- loss: 4.0000\n$", text)
  end)

  it("weighs values by steps while it goes on", function()
    local bar = utils.Progbar{cusp.null, verbose = 0}
    bar:update(1, {{"loss", 1}})
    bar:update(4, {{"loss", 5}})
    assert.are.same({16, 4}, bar._sums.loss)
    assert.error_matches(function() bar:update(5, {{"loss", "x"}}) end, "should be a number")
    assert.error_matches(function()
      utils.Progbar{3, stateful_metrics = {"a"}, stateless_metrics = {"b"}}
    end, "only one of")
    assert.is_function(progress.new)
  end)
end)

describe("get_file", function()
  local place, cache

  before_each(function()
    place = folder.new()
    cache = place.path .. "/cache"
    os.execute(("mkdir -p '%s/data/sub'"):format(place.path))
    text_files.write(place.path .. "/data/sub/a.txt", "hello\n")
  end)
  after_each(function() place:remove() end)

  local function get(options)
    options.cache_dir = cache
    return utils.get_file(options)
  end

  it("copies a local file, by path or URL, and checks its hash", function()
    local origin = place.path .. "/data/sub/a.txt"
    local path = get{origin = origin, md5_hash = "b1946ac92492d2347c6235b4d2611184"}
    assert.are.equal(cache .. "/datasets/a.txt", path)
    assert.are.equal("hello\n", text_files.read(path))
    assert.are.equal(cache .. "/other/b.txt", get{"b.txt", "file://" .. origin,
      cache_subdir = "other",
      file_hash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"})
    assert.error_matches(function()
      get{"c.txt", origin, file_hash = ("0"):rep(64)}
    end, "has not the hash")
    assert.is_false(text_files.exists(cache .. "/datasets/c.txt"))
  end)

  it("copies again only where it has to", function()
    local origin = place.path .. "/data/sub/a.txt"
    local path = get{origin = origin}
    text_files.write(origin, "other\n")
    assert.are.equal("hello\n", text_files.read(get{origin = origin}))
    assert.are.equal("other\n", text_files.read(get{origin = origin, force_download = true}))
    text_files.write(path, "broken")
    get{origin = origin, md5_hash = "ba7790b1708b71cb2b61b1a30d824712", force_download = false,
      hash_algorithm = "auto"}
  end)

  it("extracts tar and zip archives", function()
    local at = place.path
    os.execute(("cd '%s/data' && tar czf ../t.tar.gz sub"):format(at))
    local writer <close> = cusp.zip.create(at .. "/z.zip")
    writer:add("sub/a.txt", "zipped")
    writer:close()
    local from_tar = get{origin = at .. "/t.tar.gz", extract = true}
    assert.are.equal("hello\n", text_files.read(from_tar .. "/sub/a.txt"))
    local from_zip = get{"named.zip", "file://" .. at .. "/z.zip", extract = true}
    assert.are.equal(cache .. "/datasets/named_extracted", from_zip)
    assert.are.equal("zipped", text_files.read(from_zip .. "/sub/a.txt"))
    assert.are.equal(cache .. "/datasets/all", get{"all", at .. "/t.tar.gz", untar = true})
  end)

  it("takes no member out of its folder", function()
    local writer <close> = cusp.zip.create(place.path .. "/z.zip")
    writer:add("../../evil.txt", "x")
    writer:close()
    assert.error_matches(function() get{origin = place.path .. "/z.zip", extract = true} end,
      "outside of its folder")
    assert.is_false(text_files.exists(place.path .. "/evil.txt"))
  end)

  it("says that nothing is downloaded, and where to put the file", function()
    assert.error_matches(function() get{origin = "https://example.org/y.zip?z=1"} end,
      "nothing is downloaded here: .* put it at .*/datasets/y.zip")
    os.execute(("mkdir -p '%s/datasets'"):format(cache))
    text_files.write(cache .. "/datasets/y.zip", "there")
    assert.are.equal("there", text_files.read(get{origin = "https://example.org/y.zip?z=1"}))
    assert.error_matches(function() get{} end, "argument 'origin' is missing")
    assert.error_matches(function() get{origin = place.path .. "/no"} end, "there is no file")
    assert.error_matches(function() get{"a/b", "x"} end, "without a folder")
  end)
end)

describe("audio_dataset_from_directory", function()
  local place

  local function write_wav(path, samples, bits)
    local data = ""
    for i = 1, samples do data = data .. ("<i2i2"):pack(i * 1000, -i * 1000) end
    text_files.write(path, ("<c4I4c4c4I4I2I2I4I4I2I2c4I4"):pack("RIFF", 36 + #data, "WAVE", "fmt ",
      16, 1, 2, 8000, 32000, 4, bits or 16, "data", #data) .. data)
  end

  before_each(function()
    place = folder.new()
    for class = 0, 1 do
      os.execute(("mkdir '%s/c%d'"):format(place.path, class))
      for i = 1, 2 do write_wav(("%s/c%d/%d.wav"):format(place.path, class, i), 3 + i) end
    end
  end)
  after_each(function() place:remove() end)

  local function read(options)
    options[1], options.shuffle, options.verbose = place.path, false, false
    local dataset = utils.audio_dataset_from_directory(options)
    local sounds, labels = dataset:iterate()()
    return sounds, labels, dataset
  end

  it("reads samples, fills up batches, and has labels", function()
    local sounds, labels, dataset = read{batch_size = 4}
    assert.are.same({4, 5, 2}, {table.unpack(sounds.shape)})
    assert.are.same({0, 0, 1, 1}, labels:tolist())
    assert.are.same({"c0", "c1"}, dataset.class_names)
    waves.compare({1000 / 32768, -1000 / 32768}, sounds[1][1], 1e-7)
    waves.compare({0, 0}, sounds[1][5])
    waves.compare({5000 / 32768, -5000 / 32768}, sounds[2][5], 1e-7)
  end)

  it("cuts and fills to a length, at another rate", function()
    assert.are.same({4, 2, 2}, {table.unpack(read{output_sequence_length = 2}.shape)})
    local slow = read{output_sequence_length = 3, sampling_rate = 4000}
    waves.compare({1000 / 32768, 3000 / 32768, 0}, slow:slice{{1, 1}, {}, {1, 1}}, 1e-6)
  end)

  it("says which file cannot be read", function()
    write_wav(place.path .. "/c0/1.wav", 3, 24)
    assert.error_matches(function() read{} end, "c0/1.wav: only 16%-bit PCM is read")
    text_files.write(place.path .. "/c0/1.wav", "RIFF")
    assert.error_matches(function() read{} end, "c0/1.wav: is not a WAV file")
    text_files.write(place.path .. "/c0/1.wav", ("<c4I4c4c4I4"):pack("RIFF", 4, "WAVE", "fmt ", 16))
    assert.error_matches(function() read{} end, "c0/1.wav: its format chunk is cut off")
    assert.error_matches(function() read{ragged = true} end, "no ragged tensors")
  end)
end)

describe("pictures as tensors:", function()
  it("array_to_img", function()
    local x = cusp.tensor{{{1.0}, {2.0}}, {{3.0}, {4.0}}}
    assert.are.same({0, 85, 170, 255}, utils.array_to_img(x):flat())
    assert.are.same({1, 2, 3, 4}, utils.array_to_img(x, {scale = false}):flat())
    local first = cusp.ops.transpose(x, {3, 1, 2})
    assert.are.same({0, 85, 170, 255},
      utils.array_to_img(first, {data_format = "channels_first"}):flat())
    assert.error_matches(function() utils.array_to_img(cusp.ones{2, 2}) end, "3 axes")
    assert.error_matches(function() utils.array_to_img(cusp.ones{2, 2, 2}) end,
      "1, 3 or 4 channels")
  end)

  it("smart_resize", function()
    local x = cusp.ops.reshape(cusp.arange(24) * 1.0, {4, 6, 1})
    waves.compare({4.5, 6.5, 16.5, 18.5}, cusp.preprocessing.image.smart_resize(x, {2, 2}))
    assert.are.equal(utils.pad_sequences, cusp.preprocessing.sequence.pad_sequences)
  end)
end)

describe("Function", function()
  it("repeats a computation on other inputs", function()
    local a, b = cusp.Input{shape = {2}}, cusp.Input{shape = {2}}
    local f = cusp.Function{inputs = {a, b}, outputs = {sum = a + b, product = a * b}}
    local outputs = f{cusp.tensor{{1.0, 2.0}}, cusp.tensor{{3.0, 4.0}}}
    assert.are.same({{4, 6}}, outputs.sum:tolist())
    assert.are.same({{3, 8}}, outputs.product:tolist())
    local single = cusp.Function(a, cusp.ops.square(a))
    assert.are.same({{9, 16}}, single(cusp.tensor{{3.0, 4.0}}):tolist())
    assert.are.same({5, 2}, {table.unpack(single:compute_output_shape{5, 2})})
    assert.are.equal(a, utils.get_source_inputs(cusp.ops.square(a + 1))[1])
  end)
end)
