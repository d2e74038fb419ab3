-- Runs with one callback each, compared with both versions of Keras: epochs, values, output, files,
-- and the final weights.
local cases = require "spec.support.cases"
local Folder = require "spec.support.folder"
local cusp = require "cusp"
local engine = require "cusp.engine"
local files = engine.files
local callbacks = cusp.callbacks

-- The text that f writes with io.stdout:write.
local function printed(f)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  local outer = io.stdout
  rawset(io, "stdout", file)
  local ok, message = pcall(f)
  rawset(io, "stdout", outer)
  file:close()
  file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  os.remove(path)
  if not ok then error(message, 0) end
  return text
end

local data = cases.read "training/train_optimizer_sgd.json.gz"

local function new_model(rate)
  local model = cusp.models.model_from_config{config = data.model}
  local weights = {}
  for i, weight in ipairs(data.initial_weights) do weights[i] = cases.tensor(weight) end
  model:set_weights(weights)
  model:compile{optimizer = cusp.optimizers.SGD(rate), loss = "categorical_crossentropy",
    metrics = {"accuracy"}}
  return model
end

local makers = {
  early_stopping = function()
    return callbacks.EarlyStopping{monitor = "val_loss", patience = 2, verbose = 1}
  end,
  early_stopping_restore = function()
    return callbacks.EarlyStopping{monitor = "val_loss", patience = 2, verbose = 1,
      restore_best_weights = true}
  end,
  early_stopping_min_delta = function()
    return callbacks.EarlyStopping{
      monitor = "val_accuracy", mode = "max", min_delta = 0.05, patience = 3, verbose = 1,
      start_from_epoch = 2,
    }
  end,
  reduce_lr_on_plateau = function()
    return callbacks.ReduceLROnPlateau{
      monitor = "val_loss", factor = 0.5, patience = 1, verbose = 1, min_delta = 0.001,
      cooldown = 1, min_lr = 0.05,
    }
  end,
  learning_rate_scheduler = function()
    return callbacks.LearningRateScheduler(function(epoch, rate)
      return epoch % 2 == 0 and rate * 0.5 or rate
    end, {verbose = 1})
  end,
  terminate_on_nan = function() return callbacks.TerminateOnNaN() end,
  model_checkpoint_best = function(folder)
    return callbacks.ModelCheckpoint{
      folder .. "best.weights.h5", monitor = "val_loss", save_best_only = true,
      save_weights_only = true, verbose = 1,
    }
  end,
  model_checkpoint_each = function(folder)
    return callbacks.ModelCheckpoint{folder .. "w.{epoch:02d}-{val_loss:.2f}.weights.h5",
      save_weights_only = true, verbose = 1}
  end,
}

local function compare_history(history, wanted)
  for name, values in pairs(wanted) do
    if name == "lr" then name = "learning_rate" end
    assert(history[name], "history has no " .. name)
    assert.are.equal(#values, #history[name])
    for epoch, value in ipairs(values) do
      if value == "NaN" then value = 0 / 0 end
      assert(cases.close(history[name][epoch], value, 1e-6, 1e-5),
        ("%s after epoch %d: %s, expected %s"):format(name, epoch,
        history[name][epoch], value))
    end
  end
end

-- tf.keras starts with an infinite best value and prints no message after saving.
local function expected_text(version, text)
  if version == "k3" then return text end
  -- It restores weights before it reports that it stopped.
  text = text:gsub("^(Restoring[^\n]*\n)(Epoch[^\n]*\n)", "%2%1")
  return (text:gsub("from inf",
    "from None"):gsub("(\nEpoch (%d+):[^\n]* saving model to ([^\n]+)\n)",
    "%1\nEpoch %2: finished saving model to %3\n"))
end

local function run(version, case)
  local scope <close> = Folder.new()
  local folder = scope.path
  local model, callback = new_model(case.learning_rate), makers[case.name](folder .. "/")
  local x, history = cases.tensor(data.data.x[1]), nil
  if case.nan_at_x_20_0 then
    local rows = x:tolist()
    rows[21][1] = 0 / 0
    x = cusp.tensor(rows)
  end
  local text = printed(function()
    history = model:fit{
      x, cases.tensor(data.data.y[1]), batch_size = case.batch_size, epochs = case.epochs,
      shuffle = false, verbose = 0,
      callbacks = {callback},
      validation_data = {cases.tensor(data.data.val_x[1]), cases.tensor(data.data.val_y[1])},
    }
  end)
  local saved = files.list(folder)
  assert.are.equal(expected_text(version, case.printed),
    (text:gsub(folder:gsub("%p", "%%%0") .. "/", "")))
  assert.are.equal(#case.epochs_run, #history.epoch)
  compare_history(history.history, case.history)
  if case.stopped_epoch then assert.are.equal(case.stopped_epoch + 1, callback.stopped_epoch) end
  if case.best_epoch then assert.are.equal(case.best_epoch + 1, callback.best_epoch) end
  -- The folder of the reference run also held the file of the run before.
  if case.files then
    assert.are.equal(case.name == "model_checkpoint_each" and #case.files - 1 or #case.files,
      #saved)
  end
  for i, weight in ipairs(model.weights) do
    cases.compare(weight.value, case.final_weights[i], {atol = 1e-5, rtol = 1e-4}, "weight " .. i)
  end
end

for _, version in ipairs{"k3", "tf2"} do
  local golden = cases.read("callbacks/" .. version .. "_runs.json.gz")

  describe("runs as in " .. version .. ":", function()
    for _, case in ipairs(golden.runs) do
      it(case.name, function() run(version, case) end)
    end
  end)
end

describe("the golden run of the tutorial's model", function()
  local golden, tutorial = cases.read "callbacks/k3_runs.json.gz",
    cases.read "training/train_tutorial_functional.json.gz"

  local function tutorial_run(options)
    local model = cusp.models.model_from_config{config = tutorial.model}
    local weights = {}
    for i, weight in ipairs(tutorial.initial_weights) do weights[i] = cases.tensor(weight) end
    model:set_weights(weights)
    model:compile{optimizer = cusp.optimizers.Adam(0.001), loss = "categorical_crossentropy",
      metrics = {"accuracy"}}
    options[1], options[2] = cases.tensor(tutorial.data.x[1]), cases.tensor(tutorial.data.y[1])
    options.batch_size, options.shuffle = 32, false
    if options.validation_data then
      options.validation_data = {cases.tensor(tutorial.data.val_x[1]),
        cases.tensor(tutorial.data.val_y[1])}
    end
    return model:fit(options), model
  end

  it("leaves a CSV file with Keras's columns, epochs and numbers", function()
    local path = os.tmpname()
    local history = tutorial_run{epochs = 5, verbose = 0, validation_data = true,
      callbacks = {callbacks.CSVLogger(path)}}
    compare_history(history.history, golden.history.history)
    local wanted = golden.csv:gmatch "[^\r\n]+"
    for row in io.lines(path) do
      local expected = wanted()
      if expected:find "epoch" then assert.are.equal(expected, row) end
      local next_value = expected:gmatch "[^,]+"
      for value in row:gmatch "[^,]+" do
        local number = next_value()
        if tonumber(number) then
          assert(cases.close(tonumber(value), tonumber(number), 1e-6, 1e-5), row)
        end
      end
    end
    assert.is_nil(wanted())
    os.remove(path)
  end)

  -- Lines without what varies (times), and with names in the order of Keras 3, which sorts them.
  local function lines(text)
    local result = {}
    for line in text:gmatch "[^\n]+" do
      local values = {}
      for name, value in line:gmatch "%- ([%w_]+): ([%d.e+-]+)" do
        values[#values + 1] = name .. " " .. value
      end
      table.sort(values)
      local head = line:match "^Epoch %d+/%d+$"
        or line:match "^%d+/%d+ %- %d+s %- %d+m?u?s/step" and line:match "^%d+/%d+"
      result[#result + 1] = tostring(head) .. ": " .. table.concat(values, ", ")
    end
    return result
  end

  local function check(name, f) assert.are.same(lines(golden.texts[name]), lines(printed(f))) end

  it("prints a line an epoch, as Keras does", function()
    check("fit_verbose2.txt", function() tutorial_run{epochs = 5, verbose = 2} end)
    check("fit_verbose2_validation.txt", function()
      tutorial_run{epochs = 2, verbose = 2, validation_data = true}
    end)
    check("fit_initial_epoch.txt", function()
      tutorial_run{epochs = 4, initial_epoch = 2, verbose = 2}
    end)
    check("fit_verbose0.txt", function() tutorial_run{epochs = 2, verbose = 0} end)
  end)

  it("prints lines of evaluate and predict", function()
    local _, model = tutorial_run{epochs = 0, verbose = 0}
    local x, y = cases.tensor(tutorial.data.val_x[1]), cases.tensor(tutorial.data.val_y[1])
    check("evaluate_verbose2.txt", function()
      model:evaluate{x, y, batch_size = 10, verbose = 2}
    end)
    check("predict_verbose2.txt", function() model:predict{x, batch_size = 10, verbose = 2} end)
  end)
end)
