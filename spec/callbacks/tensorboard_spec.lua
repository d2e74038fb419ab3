-- The TensorBoard callback: the same events as tf.keras for the same training, and the behaviour if
-- files cannot be written.
local cusp = require "cusp"
local events = require "spec.support.events"
local folder = require "spec.support.folder"
local json = require "cusp.formats.json"
local protobuf = require "cusp.formats.protobuf"
local warnings = require "cusp.base.warnings"
local text_files = require "spec.support.text_files"
local TensorBoard = cusp.callbacks.TensorBoard

local read = text_files.read

local runs = json.decode(read "spec/fixtures/tensorboard/callback.json")

local function make_model(weights)
  local input = cusp.Input{{6}}
  local hidden = cusp.layers.Dense{8, activation = "relu", name = "hidden"}(input)
  local model = cusp.Model{input,
    cusp.layers.Dense{3, activation = "softmax", name = "classes"}(hidden)}
  if weights then
    for i, weight in ipairs(model.weights) do
      weight:assign(cusp.tensor(weights[i], {shape = weight.shape, dtype = "float32"}))
    end
  end
  model:compile{optimizer = cusp.optimizers.SGD(0.5), loss = "sparse_categorical_crossentropy",
    metrics = {"accuracy"}}
  return model
end

local function train(case, callback, epochs)
  local x, y = cusp.tensor(case.x, {shape = {40, 6}, dtype = "float32"}),
    cusp.tensor(case.y, {dtype = "int32"})
  local model = make_model(case.weights)
  model:fit{
    x:slice{{1, 30}}, y:slice{{1, 30}}, batch_size = 10, epochs = epochs or 3, shuffle = false,
    verbose = 0,
    validation_data = {x:slice{{31, 40}}, y:slice{{31, 40}}}, callbacks = {callback},
  }
  return model
end

local function by_key(values)
  local result = {}
  for _, value in ipairs(values) do
    local key = ("%s at %d"):format(value.tag, value.step)
    assert.is_nil(result[key], key)
    result[key] = value
  end
  return result
end

local function check_close(expected, found, tolerance, what)
  assert.is_true(math.abs(expected - found) <= tolerance * math.max(1, math.abs(expected)),
    ("%s: %g, %g"):format(what, expected, found))
end

-- A weight that differs in the last digit may fall into the neighbouring bucket.
local function check_histogram(expected, found, key)
  local moved = 0
  for i = 1, #expected do
    if i % 3 == 0 then
      moved = moved + math.abs(expected[i] - found[i])
    else
      check_close(expected[i], found[i], 1e-5, key)
    end
  end
  assert.is_true(moved <= 2, key)
end

local function check_value(expected, found, key)
  assert.are.equal(expected.plugin, found.plugin, key)
  assert.are.same(expected.shape, found.shape, key)
  if expected.plugin == "histograms" then
    check_histogram(expected.data, found.data, key)
  elseif expected.plugin == "scalars" and not key:find "steps_per_second" then
    check_close(expected.data[1], found.data[1], 1e-5, key)
  elseif expected.plugin == "images" then
    assert.are.same(expected.size, {found.data[1], found.data[2]}, key)
  end
end

-- Events that we write and tf.keras does not.
local function is_ours(key) return key:find "^epoch_learning_rate at" ~= nil end

describe("TensorBoard", function()
  for i, case in ipairs(runs) do
    it(("writes the tags, steps and values of tf.keras, run %d"):format(i), function()
      local logs <close> = folder.new()
      local options = {log_dir = logs.path}
      for name, value in pairs(case.options) do options[name] = value end
      train(case, TensorBoard(options))
      for run, list in pairs(case.events) do
        local expected, found = by_key(list), by_key(events.values(logs.path .. "/" .. run))
        for key, value in pairs(expected) do
          assert.is_not_nil(found[key], run .. ": " .. key)
          check_value(value, found[key], key)
        end
        for key in pairs(found) do
          assert.is_true(expected[key] ~= nil or is_ours(key), run .. ": " .. key)
        end
      end
    end)
  end

  it("writes the learning rate, also that of a schedule, and the model", function()
    local logs <close> = folder.new()
    local model = cusp.Sequential{cusp.layers.Dense{1}}
    local schedule = cusp.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    model:compile{optimizer = cusp.optimizers.SGD(schedule), loss = "mse"}
    model:fit{cusp.ones{8, 2}, cusp.ones{8, 1}, batch_size = 4, epochs = 2, verbose = 0,
      callbacks = {TensorBoard(logs.path)}}
    local found = by_key(events.values(logs.path .. "/train"))
    check_close(0.05, found["epoch_learning_rate at 0"].data[1], 1e-6, "first")
    check_close(0.025, found["epoch_learning_rate at 1"].data[1], 1e-6, "second")
    assert.are.equal("Sequential", json.decode(found["keras at 0"].data[1]).class_name)
    local graphs = 0
    for _, event in ipairs(events.read(logs.path .. "/train")) do
      graphs = graphs + (event.graph_def and 1 or 0)
    end
    assert.are.equal(1, graphs)
    assert.is_false(require("cusp.engine").files.exists(logs.path .. "/validation"))
  end)

  it("has hooks of batches only where something is written each batch", function()
    local function hooks(options)
      return cusp.callbacks.CallbackList{callbacks = {TensorBoard(options)}}:has_batch_hooks "train"
    end
    assert.is_false(hooks{histogram_freq = 1, write_steps_per_second = true})
    assert.is_true(hooks{update_freq = "batch"})
    assert.is_true(hooks{update_freq = 10})
  end)

  it("writes embeddings for the projector", function()
    local logs <close> = folder.new()
    local model = cusp.Sequential{cusp.layers.Embedding{5, 2, name = "words"},
      cusp.layers.Flatten(), cusp.layers.Dense{1}}
    model:compile{optimizer = "sgd", loss = "mse"}
    local callback = TensorBoard{log_dir = logs.path, embeddings_freq = 1,
      embeddings_metadata = {words = "words.tsv"}}
    model.save_weights = function() end -- what is beside the vectors is not looked at here
    model:fit{cusp.zeros({4, 3}, {dtype = "int32"}), cusp.ones{4, 1}, verbose = 0,
      callbacks = {callback}}
    local config = read(logs.path .. "/projector_config.pbtxt")
    assert.matches('tensor_name: "layer_with_weights%-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"',
      config)
    assert.matches('metadata_path: "words.tsv"', config)
    local _, lines = read(logs.path .. "/" .. config:match 'tensor_path: "(.-)"'):gsub("\n", "")
    assert.are.equal(5, lines)
    local other = TensorBoard{log_dir = logs.path, embeddings_freq = 1,
      embeddings_metadata = {wrds = "words.tsv"}}
    assert.has_error.matches(function()
      model:fit{cusp.zeros({4, 3}, {dtype = "int32"}), cusp.ones{4, 1}, verbose = 0,
        callbacks = {other}}
    end, "no Embedding layer 'wrds' %(did you mean 'words'")
  end)

  local function warnings_of(f) return table.concat((warnings.collect(f)), "\n") end

  it("goes on training with a warning where the disk is full", function()
    local logs <close> = folder.new()
    local callback = TensorBoard(logs.path)
    local model
    callback.on_epoch_begin = function(self, epoch)
      if epoch == 2 then self._runs.train.file.records.file = io.open("/dev/full", "ab") end
    end
    local text = warnings_of(function() model = train(runs[1], callback) end)
    assert.matches(
      "^TensorBoard: .*cannot write .*/train/events.-: No space left on device; training "
      .. "continues", text)
    assert.are.equal(3, #model.history.history.loss)
    local expected = train(runs[1], cusp.callbacks.Callback())
    assert.are.same(expected.history.history.loss, model.history.history.loss)
  end)

  it("refuses a log folder that cannot be made before anything is trained", function()
    local logs <close> = folder.new()
    io.open(logs.path .. "/file", "w"):close()
    local model
    assert.has_error.matches(function()
      model = train(runs[1], TensorBoard(logs.path .. "/file/logs"))
    end, "file/logs")
    assert.is_nil(model)
  end)

  it("checks its arguments", function()
    assert.has_error.matches(function()
      TensorBoard{update_freq = "often"}
    end, "'update_freq' should be \"epoch\", \"batch\"")
    assert.has_error.matches(function() TensorBoard{update_freq = 0} end, "'update_freq' should be")
    assert.has_error.matches(function()
      TensorBoard{profile_batch = {5, 2}}
    end, "'profile_batch' should be")
    assert.has_error.matches(function() TensorBoard{log_dirr = "a"} end, "log_dirr")
  end)

  -- The numbers of the steps in the only profile of a folder.
  local function profiled_steps(logs)
    local found = {}
    local path = io.popen(("ls '%s'/train/plugins/profile/*/*.xplane.pb"):format(logs)):read "l"
    local plane = protobuf.decode("tensorflow.profiler.XSpace", read(path)).planes[1]
    local step_num
    for _, entry in ipairs(plane.stat_metadata) do
      if entry.value.name == "step_num" then step_num = entry.key end
    end
    for _, event in ipairs(plane.lines[1].events) do
      for _, stat in ipairs(event.stats) do
        if stat.metadata_id == step_num then found[#found + 1] = stat.int64_value end
      end
    end
    return found
  end

  it("profiles the batches of profile_batch, counted through the epochs", function()
    for given, expected in pairs{["2,4"] = {2, 3, 4}, ["5"] = {5}, ["0,1"] = {1}} do
      local logs <close> = folder.new()
      local board = TensorBoard{log_dir = logs.path, profile_batch = given}
      make_model():fit{cusp.random.uniform{24, 6}, cusp.random.randint({24}, 0, 3), batch_size = 8,
        epochs = 2, verbose = 0, callbacks = {board}}
      assert.same(expected, profiled_steps(logs.path))
      assert.is_false(cusp.profiler.is_running())
    end
  end)

  it("leaves a profile of the user's own alone", function()
    local logs <close> = folder.new()
    local text = warnings_of(function()
      cusp.profiler.start()
      make_model():fit{cusp.random.uniform{8, 6}, cusp.random.randint({8}, 0, 3), verbose = 0,
        callbacks = {TensorBoard{log_dir = logs.path, profile_batch = 1}}}
    end)
    assert.is_true(#cusp.profiler.stop().kernels > 0)
    assert.matches("a profile is being recorded already", text)
  end)
end)
