-- What hooks receive and may do: order, logs, stopping, changing the learning rate, freezing,
-- errors; and which arguments callbacks refuse.
local cusp = require "cusp"
local files = require("cusp.engine").files
local progress = require "cusp.base.progress"
local warnings = require "cusp.base.warnings"
local callbacks, layers = cusp.callbacks, cusp.layers

local x, y = cusp.random.normal{40, 4}, cusp.random.normal{40, 2}

local function new_model(optimizer)
  local model = cusp.Sequential{cusp.Input{4}, layers.Dense{3, name = "hidden"},
    layers.Dense{2, name = "out"}}
  model:compile{optimizer = optimizer or "sgd", loss = "mse", metrics = {"mae"}}
  return model
end

local function fit(model, options)
  options[1], options[2], options.verbose, options.batch_size = options[1] or x, options[2] or y, 0,
    options.batch_size or 10
  return model:fit(options)
end

local function refused(f, ...)
  local ok, message = pcall(f)
  assert.is_false(ok, "should have been refused")
  for _, part in ipairs{...} do assert(tostring(message):find(part, 1, true), message) end
end

local function keys(logs)
  local list = {}
  for name in pairs(logs) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, ",")
end

-- A callback that records every hook with its number and the names in its logs.
local function recorder(list)
  local recording = {}
  for _, hook in ipairs(callbacks.Callback.hooks) do
    recording[hook] = function(_, first, second)
      local logs = second or type(first) == "table" and first or {}
      list[#list + 1] = ("%s %s %s"):format(hook:sub(4), type(first) == "number" and first or "-",
        keys(logs))
    end
  end
  return recording
end

describe("hooks", function()
  it("come in Keras's order with Keras's logs", function()
    local seen = {}
    fit(new_model(), {
      epochs = 2, batch_size = 20, validation_data = {x, y}, validation_batch_size = 40,
      callbacks = {recorder(seen)},
    })
    local epoch = function(n)
      return {
        "epoch_begin " .. n .. " ", "train_batch_begin 1 ", "batch_begin 1 ",
        "train_batch_end 1 loss,mae", "batch_end 1 loss,mae",
        "train_batch_begin 2 ", "batch_begin 2 ", "train_batch_end 2 loss,mae",
        "batch_end 2 loss,mae", "test_begin - ",
        "test_batch_begin 1 ", "test_batch_end 1 loss,mae", "test_end - loss,mae",
        "epoch_end " .. n .. " loss,mae,val_loss,val_mae",
      }
    end
    local wanted = {"train_begin - "}
    for n = 1, 2 do
      for _, line in ipairs(epoch(n)) do wanted[#wanted + 1] = line end
    end
    wanted[#wanted + 1] = "train_end - loss,mae,val_loss,val_mae"
    assert.are.same(wanted, seen)
  end)

  it("are called by evaluate and predict, and may stop them", function()
    local seen, model = {}, new_model()
    model:evaluate{x, y, batch_size = 20, verbose = 0, callbacks = {recorder(seen)}}
    assert.are.equal(
      "test_begin - |test_batch_begin 1 |test_batch_end 1 loss,mae|test_batch_begin 2 "
      .. "|test_batch_end 2 loss,mae|"
      .. "test_end - loss,mae", table.concat(seen, "|"))
    local batches = 0
    local all = model:predict{x, batch_size = 10, verbose = 0}
    model:predict{x, batch_size = 10, verbose = 0, callbacks = {{
      on_predict_batch_end = function(self, batch, logs)
        batches = batch
        assert.are.same(all:slice{{10 * batch - 9, 10 * batch}}:tolist(), logs.outputs:tolist())
        self.model.stop_predicting = batch == 2
      end,
    }}}
    assert.are.equal(2, batches)
  end)

  it("stop training after a batch", function()
    local epochs, batches = 0, 0
    fit(new_model(), {epochs = 3, callbacks = {{
      on_train_batch_end = function(self, batch)
        batches = batches + 1
        self.model.stop_training = batch == 2
      end,
      on_epoch_end = function() epochs = epochs + 1 end,
    }}})
    assert.are.same({1, 2}, {epochs, batches})
  end)

  it("may set the learning rate, to a number or a schedule", function()
    local model = new_model(cusp.optimizers.SGD(0.5))
    local rates = {}
    fit(model, {epochs = 3, callbacks = {{on_epoch_begin = function(self, epoch)
      rates[epoch] = self.model.optimizer.learning_rate:item()
      self.model.optimizer.learning_rate = 0.5 / 2 ^ epoch
    end}}})
    assert.are.same({0.5, 0.25, 0.125}, rates)
    local before = model:get_weights()[1]:flat()
    fit(model, {epochs = 2, callbacks = {{on_epoch_begin = function(self, epoch)
      if epoch == 1 then
        self.model.optimizer.learning_rate = cusp.optimizers.schedules.PiecewiseConstantDecay{{1},
          {0.0, 0.0}}
      end
    end}}})
    -- The coming epoch follows the schedule.
    assert.are.same(before, model:get_weights()[1]:flat())
    fit(model, {})
    assert.are.same(before, model:get_weights()[1]:flat())
  end)

  it("that freeze a layer are told that it takes effect at once", function()
    local model, after = new_model(), {}
    local list = warnings.collect(function()
      fit(model, {epochs = 4, callbacks = {{on_epoch_end = function(_, epoch)
        after[epoch] = model:get_layer("hidden").kernel.value:flat()
        model:get_layer("hidden").trainable = false
      end}}})
    end)
    assert.are.equal(1, #list)
    assert(list[1]:find("model:compile()", 1, true), list[1])
    assert.are.same(after[1], after[4])
    model:compile{optimizer = "sgd", loss = "mse"}
    assert.are.equal(0, #warnings.collect(function() fit(model, {}) end))
    assert.are.same(after[1], model:get_layer("hidden").kernel.value:flat())
  end)

  it("that raise are named, and the model trains on", function()
    local Stopwatch = callbacks.Callback:extend "Stopwatch"
    function Stopwatch:on_epoch_end(epoch) return self.missing[epoch] end
    local model, abandoned = new_model(), 0
    refused(function()
      fit(model, {callbacks = {Stopwatch(), {abandon = function() abandoned = abandoned + 1 end}}})
    end, "callback Stopwatch, on_epoch_end: ", "hooks_spec.lua:", "missing")
    refused(function()
      fit(model, {callbacks = {{}, {on_batch_end = function() error "no" end}}})
    end,
      "callback 2 (a table), on_batch_end: no")
    assert.are.equal(1, abandoned)
    assert.are.equal(2, #fit(model, {epochs = 2}).history.loss)
    local thrown = {}
    local ok, got = pcall(fit, model, {callbacks = {{on_train_begin = function()
      error(thrown)
    end}}})
    assert.is_false(ok)
    assert.are.equal(thrown, got)
  end)

  it("may evaluate and predict with the model", function()
    local model = new_model()
    local history = fit(model, {epochs = 2, callbacks = {{on_epoch_end = function(self, _, logs)
      logs.outside = self.model:evaluate{x, y, verbose = 0, return_dict = true}.loss
    end}}})
    assert.are.equal(2, #history.history.outside)
  end)

  it("are left out where they do nothing: whole batches run in the engine", function()
    local list = callbacks.CallbackList{
      callbacks = {callbacks.EarlyStopping(), callbacks.CSVLogger "x",
        callbacks.ModelCheckpoint "x.keras",
        callbacks.BackupAndRestore "x", callbacks.ReduceLROnPlateau(),
        callbacks.LambdaCallback{on_epoch_end = print}},
    }
    assert.is_false(list:has_batch_hooks "train")
    for _, other in ipairs{
      callbacks.TerminateOnNaN(), callbacks.ModelCheckpoint{"x.keras", save_freq = 3},
      callbacks.BackupAndRestore{"x", save_freq = 1},
    } do
      assert.is_true(callbacks.CallbackList({callbacks = {other}}):has_batch_hooks "train")
    end
  end)
end)

describe("callbacks refuse", function()
  it("arguments that make no sense", function()
    refused(function() callbacks.EarlyStopping{patience = -1} end, "patience", "-1")
    refused(function() callbacks.EarlyStopping{patiense = 1} end, "patiense", "patience")
    refused(function() callbacks.ReduceLROnPlateau{factor = 1} end, "factor")
    refused(function() callbacks.ModelCheckpoint "model.txt" end, ".keras", "model.txt")
    refused(function() callbacks.ModelCheckpoint{"model.keras", save_freq = 0} end, "save_freq")
    refused(function()
      callbacks.ModelCheckpoint{"model.keras", save_freq = "epochs"}
    end, "save_freq")
    refused(function() callbacks.BackupAndRestore "" end, "backup_dir")
    refused(function() callbacks.BackupAndRestore{"x", save_freq = 1.5} end, "save_freq")
    refused(function() callbacks.CSVLogger{"x", separator = "--"} end, "separator")
    refused(function() callbacks.LearningRateScheduler(3) end, "schedule", "function")
    refused(function() callbacks.LambdaCallback{on_epoch_end = 3} end, "on_epoch_end")
    refused(function() callbacks.RemoteMonitor{root = "localhost"} end, "URL")
    refused(function() callbacks.RemoteMonitor{headers = {["X\n"] = "a"}} end, "headers")
  end)

  it("a value to monitor that does not exist, and a direction that nobody knows", function()
    refused(function()
      fit(new_model(), {callbacks = {callbacks.EarlyStopping{monitor = "val_los"}}})
    end, "val_los",
      "did you mean 'val_loss'", "loss,mae")
    local added = {on_epoch_end = function(_, _, logs) logs.seconds = 1 end}
    refused(function()
      fit(new_model(), {callbacks = {added, callbacks.EarlyStopping{monitor = "seconds"}}})
    end, "seconds",
      "mode = \"max\"")
    fit(new_model(), {callbacks = {added,
      callbacks.EarlyStopping{monitor = "seconds", mode = "min"}}})
  end)

  it("a schedule that gives no number", function()
    refused(function()
      fit(new_model(), {callbacks = {callbacks.LearningRateScheduler(function() end)}})
    end, "schedule", "got nil")
    local model = new_model(cusp.optimizers.SGD(cusp.optimizers.schedules.ExponentialDecay{0.1, 10,
      0.9}))
    refused(function()
      fit(model, {callbacks = {callbacks.LearningRateScheduler(function(_, rate) return rate end)}})
    end,
      "LearningRateScheduler", "schedule")
  end)

  it("folders that cannot be written, and full disks; the model trains on", function()
    local model = new_model()
    refused(function()
      fit(model, {callbacks = {callbacks.CSVLogger "/nonexistent/x.csv"}})
    end, "CSVLogger", "/nonexistent/x.csv",
      "No such file")
    refused(function()
      fit(model, {callbacks = {callbacks.CSVLogger "/dev/full"}})
    end, "/dev/full", "No space left")
    refused(function()
      fit(model, {callbacks = {callbacks.ModelCheckpoint "/proc/nowhere/x.keras"}})
    end, "ModelCheckpoint",
      "/proc/nowhere")
    local path = os.tmpname()
    os.remove(path)
    files.make_directories(path .. ".keras")
    refused(function()
      fit(model, {callbacks = {callbacks.ModelCheckpoint(path .. ".keras")}})
    end, path, "folder")
    files.remove(path .. ".keras")
    files.fail_after(100)
    refused(function()
      fit(model, {callbacks = {callbacks.ModelCheckpoint(path .. ".weights.h5",
        {save_weights_only = true})}})
    end,
      "ModelCheckpoint", path)
    files.fail_after(0)
    assert.is_false(files.exists(path .. ".weights.h5"))
    assert.are.equal(1, #fit(model, {}).history.loss)
  end)

  it("averages that no optimizer keeps", function()
    refused(function()
      fit(new_model(), {validation_data = {x, y}, callbacks = {callbacks.SwapEMAWeights()}})
    end, "use_ema = true")
  end)

  it("a name in filepath that logs do not have", function()
    refused(function()
      fit(new_model(), {callbacks = {callbacks.ModelCheckpoint "{epoch:02d}-{los:.2f}.keras"}})
    end, "`los`",
      "did you mean 'loss'")
  end)
end)

describe("SwapEMAWeights", function()
  it("shows tests the averages, and leaves them at the end", function()
    local model = new_model(cusp.optimizers.SGD{0.1, use_ema = true, ema_momentum = 0.5})
    local inside, outside
    fit(model, {epochs = 2, validation_data = {x, y}, callbacks = {
      {on_test_begin = function(self) outside = self.model:get_weights()[1]:flat() end},
      callbacks.SwapEMAWeights(),
      {on_test_begin = function(self) inside = self.model:get_weights()[1]:flat() end},
    }})
    assert.are_not.same(inside, outside)
    assert.are.same(inside, model:get_weights()[1]:flat())
  end)

  it("swaps back where an error ends the run", function()
    local model = new_model(cusp.optimizers.SGD{0.1, use_ema = true})
    local before
    pcall(fit, model, {validation_data = {x, y}, callbacks = {
      {on_test_begin = function(self) before = self.model:get_weights()[1]:flat() end},
      callbacks.SwapEMAWeights(), {on_test_begin = function() error "no" end},
    }})
    assert.are.same(before, model:get_weights()[1]:flat())
  end)
end)

describe("CSVLogger", function()
  it("appends, quotes, and writes NA for what is missing", function()
    local path = os.tmpname()
    local function run(append, extra)
      fit(new_model(), {epochs = 2, callbacks = {
        {on_epoch_end = function(_, epoch, logs)
          for name, value in pairs(extra[epoch] or {}) do logs[name] = value end
        end},
        callbacks.CSVLogger{path, append = append, separator = ";"},
      }})
    end
    run(false, {{note = 'say "a;b"', list = {1, 2.5}}})
    run(true, {{note = "c", list = {3}}})
    local lines = {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    os.remove(path)
    assert.are.equal(5, #lines)
    assert.are.equal("epoch;list;loss;mae;note;val_list;val_loss;val_mae;val_note", lines[1])
    assert(lines[2]:find('^0;%[1, 2%.5%];[%d.e+-]+;[%d.e+-]+;"say ""a;b""";NA;NA;NA;NA$'), lines[2])
    assert(lines[3]:find "^1;NA;.*;NA;NA;NA;NA;NA$", lines[3])
    assert(lines[4]:find "^0;%[3%];", lines[4])
  end)
end)

describe("RemoteMonitor", function()
  local build = os.getenv "CUSP_BUILD" or "build"

  -- A program in place of curl that stores its input.
  local function send(options)
    local folder = os.tmpname()
    os.remove(folder)
    files.make_directories(folder)
    local fake = assert(io.open(folder .. "/curl", "w"))
    fake:write(("#!/bin/sh\necho \"$@\" > %s/arguments\ncat > %s/input\nexit %d\n"):format(folder,
      folder, options.code or 0))
    fake:close()
    os.execute("chmod +x " .. folder .. "/curl")
    local script = ([[local cusp = require "cusp"
      local monitor = cusp.callbacks.RemoteMonitor{root = "http://localhost:9000", path = "/x", %s}
      cusp.callbacks.CallbackList{callbacks = {monitor}}:on_epoch_end(1, {loss = 0.5})]])
      :format(options.arguments or "")
    local pipe = assert(io.popen(("PATH=%s:$PATH %s/cusp -e '%s' 2>&1"):format(folder, build,
      script)))
    local said = pipe:read "a"
    pipe:close()
    local file = assert(io.open(folder .. "/input"))
    local input = file:read "a"
    file:close()
    for _, name in ipairs(files.list(folder)) do files.remove(folder .. "/" .. name) end
    files.remove(folder)
    return input, said
  end

  it("posts a form, or JSON", function()
    local input, said = send{}
    assert.are.equal("", said)
    assert(input:find('url = "http://localhost:9000/x"', 1, true), input)
    assert(input:find "data%-raw = \"data=%%7B[^\n]*%%22loss%%22[^\n]*0%.5", input)
    input = send{arguments = "send_as_json = true, headers = { [\"X-Key\"] = \"a\\\"b\" }"}
    assert(input:find('Content-Type: application/json', 1, true), input)
    assert(input:find('{\\"epoch\\":0', 1, true) or input:find('{\\"epoch\\": 0', 1, true)
      or input:find('\\"epoch\\"', 1, true), input)
    assert(input:find('header = "X-Key: a\\"b"', 1, true), input)
  end)

  it("warns where the server cannot be reached", function()
    local _, said = send{code = 7}
    assert(said:find("Could not reach RemoteMonitor root server at http://localhost:9000", 1, true),
      said)
  end)
end)

describe("the progress line and other text", function()
  it("ends where something else is written, and goes on below", function()
    local text = {}
    local function write(piece) text[#text + 1] = piece end
    local bar = progress.new{target = 10, verbose = 1, dynamic = true, columns = 100, write = write}
    bar:update(5, {"loss"}, {loss = 1})
    warnings.collect(function() warnings.warn "something" end)
    bar:finish({"loss"}, {loss = 1})
    assert.are.equal("\n", text[2])
    assert(text[3]:find "^\r 5/10 ", text[3])
  end)
end)
