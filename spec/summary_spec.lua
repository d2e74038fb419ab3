-- Summaries: what each kind writes, the buckets of histograms, the default writer, errors.
local cusp = require "cusp"
local events = require "spec.support.events"
local folder = require "spec.support.folder"
local histogram = require "cusp.summary.histogram"
local json = require "cusp.formats.json"
local protobuf = require "cusp.formats.protobuf"
local text_files = require "spec.support.text_files"

local read = text_files.read

local function unpacked(format, bytes, at)
  local values = {format:unpack(bytes, at)}
  values[#values] = nil -- where it ended
  return values
end

-- Writes with `f` and returns the values, and the folder's path while it exists.
local function written(f, check)
  local place <close> = folder.new()
  local writer = cusp.summary.create_file_writer(place.path .. "/run")
  f(writer)
  writer:close()
  return check(events.values(place.path .. "/run"), place.path .. "/run")
end

describe("histograms", function()
  for _, case in ipairs(json.decode(read "spec/fixtures/tensorboard/histograms.json")) do
    it(("have TensorFlow's buckets: %s, %d"):format(case.name, case.buckets), function()
      local dtype = case.dtype == "object" and "float64" or case.dtype
      local data = cusp.tensor(case.data, {dtype = dtype, shape = {#case.data}})
      local bytes = histogram.buckets(data, case.buckets)
      assert.are.equal(24 * case.buckets, #bytes)
      for i, expected in ipairs(case.result) do
        local found = ("<d"):unpack(bytes, 8 * i - 7)
        assert.is_true(math.abs(found - expected) <= 1e-12 * math.max(1, math.abs(expected)),
          ("%d: %g, %g"):format(i, found, expected))
      end
    end)
  end

  it("leave out what is not finite", function()
    local bytes = histogram.buckets(cusp.tensor{1, 0 / 0, 2, 1 / 0, 4}, 3)
    assert.are.same({1.0, 2.0, 1.0, 2.0, 3.0, 1.0, 3.0, 4.0, 1.0}, unpacked("<ddddddddd", bytes))
    assert.are.equal(("\0"):rep(48), histogram.buckets(cusp.tensor{0 / 0}, 2))
  end)
end)

describe("a summary writer", function()
  it("writes numbers", function()
    written(function(writer)
      writer:scalar("loss", 0.25, {step = 3})
      writer:scalar("loss", cusp.tensor(0.5), 4, "what *this* is")
      writer:scalar{"count", 7, step = cusp.Variable(5, {dtype = "int64"})}
      writer:scalar("yes", cusp.tensor(true), {step = 1})
    end, function(values)
      assert.are.same({3, 4, 5, 1},
        {values[1].step, values[2].step, values[3].step, values[4].step})
      assert.are.same({0.25}, values[1].data)
      assert.are.same({0.5}, values[2].data)
      assert.are.same({1.0}, values[4].data)
      assert.are.equal("scalars", values[1].plugin)
      assert.are.same({}, values[1].shape)
      assert.are.equal("what *this* is", values[2].metadata.summary_description)
    end)
  end)

  it("begins its file as TensorFlow does", function()
    local place <close> = folder.new()
    local writer <close> = cusp.summary.create_file_writer(place.path .. "/a/b")
    assert.matches("/a/b/events%.out%.tfevents%.%d%d%d%d%d%d%d%d%d%d%..+%.%d+%.%d+%.v2$",
      writer.file.path)
    local first = events.read(place.path .. "/a/b")[1]
    assert.are.equal("brain.Event:2", first.file_version)
    assert.is_true(math.abs(first.wall_time - os.time()) < 3)
  end)

  it("writes pictures: bytes as they are, floats from 0 to 1 scaled, at most as many as asked for",
    function()
    local pixels = cusp.tensor({0, 128, 255, 7, 9, 11}, {dtype = "uint8", shape = {1, 1, 2, 3}})
    written(function(writer)
      writer:image("bytes", pixels, {step = 0})
      writer:image("floats", cusp.tensor{{{{-1.0}, {0.5}, {2.0}, {0 / 0}}}}, {step = 0})
      writer:image("many", cusp.zeros{5, 2, 3, 4}, {step = 0, max_outputs = 2})
    end, function(values)
      assert.are.equal("images", values[1].plugin)
      assert.are.same({"2", "1"}, {values[1].data[1], values[1].data[2]})
      assert.are.equal("\137PNG\r\n\26\n", values[1].data[3]:sub(1, 8))
      assert.are.same({4}, values[3].shape)
      assert.are.same({"3", "2"}, {values[3].data[1], values[3].data[2]})
    end)
  end)

  it("writes text, lists and tables of it", function()
    written(function(writer)
      writer:text("one", "a **b**", {step = 1})
      writer:text("list", {"a", "b"}, {step = 1})
      writer:text("table", {{"a", "b"}, {"c", "d"}}, {step = 1})
      assert.has_error.matches(function()
        writer:text("t", {{"a", "b"}, {"c"}}, {step = 1})
      end, "expected rows of 2 strings")
      assert.has_error.matches(function() writer:text("t", 3, {step = 1}) end, "expected a string")
    end, function(values)
      assert.are.same({{}, {2}, {2, 2}}, {values[1].shape, values[2].shape, values[3].shape})
      assert.are.same({"a", "b", "c", "d"}, values[3].data)
      assert.are.equal(3, #values)
    end)
  end)

  it("writes sound as WAV of 16 bits", function()
    written(function(writer)
      writer:audio("beep", cusp.tensor{{{0.5, -2.0}, {0.0, 1.0}}}, 8000, {step = 1})
    end, function(values)
      local wave = values[1].data[1]
      assert.are.same({1, 2}, values[1].shape)
      assert.are.equal("RIFF", wave:sub(1, 4))
      assert.are.same({16384, -32768, 0, 32767}, unpacked("<i2i2i2i2", wave, 45))
      assert.are.equal("WAV",
        protobuf.decode("tensorboard.AudioPluginData",
          values[1].metadata.plugin_data.content).encoding)
    end)
  end)

  it("writes hyperparameters", function()
    written(function(writer)
      writer:hparams({rate = 0.1, units = 8, optimizer = "adam", bias = true}, {trial_id = "first"})
      writer:hparams({rate = 0.2})
      writer:hparams{rate = 0.2}
      local parameters = {{name = "rate", min = 0, max = 1},
        {name = "optimizer", values = {"adam"}}}
      writer:hparams_config{hparams = parameters, metrics = {"loss"}}
      assert.has_error.matches(function()
        writer:hparams{rate = {}}
      end, "'rate' should be a number, a string or a boolean")
    end, function(values)
      local function content(i)
        return protobuf.decode("tensorboard.hparams.HParamsPluginData",
          values[i].metadata.plugin_data.content)
      end
      local start = content(1).session_start_info
      assert.are.equal("first", start.group_name)
      assert.are.equal("_hparams_/session_start_info", values[1].tag)
      assert.are.same({"bias", "optimizer", "rate", "units"},
        {start.hparams[1].key, start.hparams[2].key, start.hparams[3].key,
        start.hparams[4].key})
      assert.is_true(start.hparams[1].value.bool_value)
      assert.are.equal(content(2).session_start_info.group_name,
        content(3).session_start_info.group_name)
      assert.are.equal("rate", content(4).experiment.hparam_infos[1].name)
    end)
  end)

  it("writes embeddings with labels for the projector", function()
    written(function(writer)
      writer:embedding("words", cusp.tensor{{0.5, 1}, {2, -3}}, {"one\ttab", "two"})
      writer:embedding("others", cusp.zeros{1, 3}, {{"Name", "Count"}, {"x", 3}})
      assert.has_error.matches(function()
        writer:embedding("w", cusp.zeros{2, 2}, {"a"})
      end, "expected 2 labels, got 1")
    end, function(_, path)
      assert.are.equal("0.5\t1\n2\t-3\n", read(path .. "/words.tsv"))
      assert.are.equal("one tab\ntwo\n", read(path .. "/words_labels.tsv"))
      assert.are.equal("Name\tCount\nx\t3\n", read(path .. "/others_labels.tsv"))
      local config = read(path .. "/projector_config.pbtxt")
      assert.matches('tensor_name: "words"', config)
      assert.matches('tensor_path: "others.tsv"', config)
    end)
  end)

  it("writes the graph of a model, nested and shared layers too", function()
    local input = cusp.Input{{4}}
    local shared = cusp.layers.Dense{4, name = "shared"}
    local inner = cusp.Sequential({cusp.Input{{4}}, cusp.layers.Dense{4, name = "deep"}},
      {name = "inner"})
    local model = cusp.Model{input, inner(shared(shared(input))) + 1}
    local place <close> = folder.new()
    local writer = cusp.summary.create_file_writer(place.path)
    writer:graph(model)
    writer:close()
    local graph = protobuf.decode("tensorflow.GraphDef", events.read(place.path)[2].graph_def)
    local nodes = {}
    for _, node in ipairs(graph.node) do
      assert.is_nil(nodes[node.name])
      nodes[node.name] = node
      for _, name in ipairs(node.input) do assert.is_not_nil(nodes[name], name) end
    end
    assert.are.same({"shared/Dense"}, nodes["shared/Dense_1"].input)
    assert.are.same({"shared/Dense_1", "inner/deep/kernel", "inner/deep/bias"},
      nodes["inner/deep/Dense"].input)
  end)

  it("is the default one while its scope lasts", function()
    local place <close> = folder.new()
    local writer <close> = cusp.summary.create_file_writer(place.path)
    assert.is_false(cusp.summary.scalar("a", 1, {step = 1}))
    do
      local _ <close> = writer:as_default(5)
      assert.is_true(cusp.summary.scalar("a", 1))
      writer.step = 6
      assert.is_true(cusp.summary.scalar("a", 2))
    end
    assert.is_false(cusp.summary.scalar("a", 1, {step = 1}))
    local values = events.values(place.path)
    assert.are.same({5, 6}, {values[1].step, values[2].step})
  end)

  it("says what is wrong", function()
    local place <close> = folder.new()
    local writer = cusp.summary.create_file_writer(place.path)
    assert.has_error.matches(function() writer:scalar("a", 1) end, "expected a step")
    assert.has_error.matches(function()
      writer:scalar("a", 1, {step = 1.5})
    end, "'step' should be an integer, got number 1.5")
    assert.has_error.matches(function()
      writer:scalar("a", "b", {step = 1})
    end, "expected a tensor")
    assert.has_error.matches(function()
      writer:scalar("a", cusp.zeros{2}, {step = 1})
    end, "'a' should be one number")
    assert.has_error.matches(function()
      writer:image("a", cusp.zeros{2, 2}, {step = 1})
    end, "expected a tensor %[images, height")
    assert.has_error.matches(function()
      writer:scalar("a", 1, {stp = 1})
    end, "unknown argument 'stp' %(did you mean 'step'")
    writer:close()
    assert.has_error.matches(function() writer:scalar("a", 1, {step = 1}) end, "is closed")
  end)

  it("names the folder that cannot be made", function()
    local place <close> = folder.new()
    io.open(place.path .. "/file", "w"):close()
    assert.has_error.matches(function()
      cusp.summary.create_file_writer(place.path .. "/file/logs")
    end, "file/logs")
  end)
end)
