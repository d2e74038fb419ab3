-- BackupAndRestore: runs interrupted anywhere resume as if they had not been, and files that are
-- damaged or of another model are refused.
local Folder = require "spec.support.folder"
local cusp = require "cusp"
local backup_file = require "cusp.callbacks.backup_file"
local files = require("cusp.engine").files
local warnings = require "cusp.base.warnings"
local text_files = require "spec.support.text_files"
local callbacks, layers = cusp.callbacks, cusp.layers

local read = text_files.read
local write = text_files.write

local function checksum(model)
  local sum = 0
  for _, weight in ipairs(model.weights) do sum = files.crc32c(weight.value, sum) end
  return sum
end

local stop = "the run ends here"

-- Raises at a batch, counted over the run, before later callbacks are called.
local function bomb(at)
  local seen = 0
  return {on_train_batch_begin = function()
    seen = seen + 1
    if seen == at then error(stop, 0) end
  end}
end

local function noisy(a, b) return a + cusp.random.normal(a.shape, {stddev = 0.1}), b end

-- Datasets that keep random elements in memory, some with a second one for validation.
local caches = {
  ["a shuffled cache"] = function(rows) return rows:shuffle(50):cache():batch(16) end,
  ["a shuffled cache with a seed"] = function(rows)
    return rows:shuffle(50, {seed = 3}):cache():batch(16)
  end,
  ["a cache of shuffled batches"] = function(rows)
    return rows:shuffle(100):batch(16):cache():prefetch(2)
  end,
  ["a shuffled cache, shuffled again"] = function(rows)
    return rows:shuffle(50):cache():shuffle(20):batch(16)
  end,
  ["elements of two by chance"] = function(rows)
    return cusp.data.Dataset.sample_from_datasets({rows:shuffle(40), rows:take(30)},
      {rerandomize_each_iteration = true}):batch(16)
  end,
  ["groups of what was sampled"] = function(rows)
    return cusp.data.Dataset.sample_from_datasets{rows:shuffle(40):take(50), rows:take(40)}
      :shuffle(20)
      :group_by_window(function(x) return cusp.ops.sum(x):item() > 0 and 1 or 0 end,
        function(_, group) return group:batch(8) end, 8)
      :scan(0, function(count, x, y) return count + 1, x, y end):ignore_errors()
  end,
  ["classes in other shares, cached"] = function(rows)
    return rows:rejection_resample(function(x) return cusp.ops.sum(x):item() > 0 and 1 or 0 end,
      {0.5, 0.5}):map(function(_, row) return row[1], row[2] end):cache():batch(16)
  end,
  ["a cache of noise"] = function(rows) return rows:map(noisy):cache():shuffle(30):batch(16) end,
  ["a cache of noise, in steps"] = function(rows)
    return rows:batch(16):map(noisy):cache():repeat_()
  end,
  ["a cache of a cache, in steps"] = function(rows)
    return rows:shuffle(50):cache():map(noisy):cache():batch(16):repeat_()
  end,
  ["validation with a cache"] = function(rows)
    return rows:take(60):batch(16), rows:skip(60):shuffle(40):map(noisy):cache():batch(8)
  end,
}

-- One training run from the start, like a script would do it.
local function train(kind, backup, extra)
  cusp.random.set_seed(5)
  local x, y = cusp.random.normal{100, 6}, cusp.random.normal{100, 2}
  local model = cusp.Sequential{layers.Dense{8, activation = "relu"}, layers.Dropout(0.4),
    layers.Dense{2}}
  model:compile{
    optimizer = cusp.optimizers.Adam{0.01, use_ema = kind == "averages"}, loss = "mse",
    metrics = {"mae"},
    run_eagerly = kind == "eager",
  }
  local list = {
    callbacks.EarlyStopping{monitor = "loss", patience = 9,
      restore_best_weights = kind ~= "averages"},
    callbacks.LearningRateScheduler(function(_, rate) return rate * 0.9 end),
    {on_epoch_end = function(self, epoch, logs)
      self.sum = (self.sum or 0) + logs.loss * epoch
      logs.sum = self.sum
    end},
    backup, extra,
  }
  if kind == "averages" then
    table.insert(list, 1, callbacks.SwapEMAWeights{swap_on_epoch = true})
  end
  local options = {x, y, batch_size = 16, epochs = 6, verbose = 0, callbacks = list}
  if kind == "function" then
    local n = 0
    options[1], options[2], options.batch_size = function()
      n = n + 1
      if n % 6 == 0 then return nil end
      local first = n * 7 % 80 + 1
      return x:slice{{first, first + 15}}, y:slice{{first, first + 15}}
    end, nil, nil
  elseif kind == "dataset" then
    options[1] = cusp.data.Dataset.from_tensor_slices({x, y}):shuffle(50, {seed = 3}):batch(16)
    options[2], options.batch_size = nil, nil
  elseif caches[kind] then
    options[1], options.validation_data = caches[kind](cusp.data.Dataset.from_tensor_slices{x, y})
    options[2], options.batch_size = nil, nil
    if kind:find "steps" then options.steps_per_epoch = 4 end
  elseif kind == "steps" then
    options.steps_per_epoch = 4
  elseif kind == "validation" then
    options.validation_split, options.validation_freq = 0.2, 2
  end
  local history
  local list_of_warnings = warnings.collect(function() history = model:fit(options) end)
  return {checksum = checksum(model), history = history.history, epoch = history.epoch,
    warnings = list_of_warnings}
end

local function same(wanted, got)
  assert.are.equal(wanted.checksum, got.checksum)
  assert.are.same(wanted.epoch, got.epoch)
  assert.are.same(wanted.history, got.history)
end

-- Runs until one completes; each is interrupted some batches after its start.
local function run_in_pieces(kind, folder, options, steps)
  for attempt = 1, 100 do
    local backup = callbacks.BackupAndRestore{
      folder .. "/backup", save_freq = options.save_freq,
      double_checkpoint = options.double_checkpoint,
    }
    local ok, result = pcall(train, kind, backup, bomb(steps))
    if ok then return result, attempt end
    assert(tostring(result):find(stop, 1, true), result)
  end
  error "no run came to its end"
end

describe("BackupAndRestore", function()
  local scope, folder
  before_each(function()
    scope = Folder.new()
    folder = scope.path
  end)
  after_each(function() scope:remove() end)

  local kinds = {"arrays", "averages", "eager", "function", "dataset", "steps", "validation"}
  for kind in pairs(caches) do kinds[#kinds + 1] = kind end
  for _, kind in ipairs(kinds) do
    it("goes on within an epoch: " .. kind, function()
      local wanted = train(kind)
      local got, attempts = run_in_pieces(kind, folder, {save_freq = 2, double_checkpoint = true},
        9)
      assert(attempts > 2)
      same(wanted, got)
      assert.are.same({}, files.list(folder))
    end)

    it("goes on after an epoch: " .. kind, function()
      local got, attempts = run_in_pieces(kind, folder, {save_freq = "epoch"}, 17)
      assert(attempts > 1)
      same(train(kind), got)
    end)
  end

  it("keeps its state where it is told to, and then has nothing left to do", function()
    local function once()
      return train("arrays",
        callbacks.BackupAndRestore{folder .. "/backup", delete_checkpoint = false})
    end
    local first = once()
    assert.are.same({"latest.backup"}, files.list(folder .. "/backup"))
    same(first, once())
  end)

  it("takes the state before the last where the last is damaged, and says so", function()
    local path = folder .. "/backup/"
    local wanted = train "arrays"
    assert.is_false(pcall(train, "arrays",
      callbacks.BackupAndRestore{path, double_checkpoint = true}, bomb(30)))
    assert.are.same({"latest.backup", "previous.backup"}, files.list(path))
    local text = read(path .. "latest.backup")
    write(path .. "latest.backup", text:sub(1, -5) .. "\0\0\0\1")
    local got = train("arrays", callbacks.BackupAndRestore{path, double_checkpoint = true})
    same(wanted, got)
    assert(got.warnings[1]:find("latest.backup", 1, true)
      and got.warnings[1]:find("previous.backup", 1, true), got.warnings[1])
  end)

  it("refuses a damaged file where there is no other, and another model's", function()
    local path = folder .. "/backup/latest.backup"
    local function refused(pattern)
      local ok, message = pcall(train, "arrays", callbacks.BackupAndRestore(folder .. "/backup"))
      assert.is_false(ok)
      assert(message:find(pattern, 1, true), message)
    end
    pcall(train, "arrays", callbacks.BackupAndRestore(folder .. "/backup"), bomb(30))
    local text = read(path)
    for _, size in ipairs{0, 7, 20, 30, #text // 2, #text - 1} do
      write(path, text:sub(1, size))
      refused "latest.backup"
    end
    write(path, text)
    local model = cusp.Sequential{cusp.Input{6}, layers.Dense{3}}
    model:compile{optimizer = "sgd", loss = "mse"}
    local ok, message = pcall(model.fit, model, {
      cusp.zeros{4, 6}, cusp.zeros{4, 3}, verbose = 0,
      callbacks = {callbacks.BackupAndRestore(folder .. "/backup")},
    })
    assert.is_false(ok)
    assert(message:find("another model", 1, true), message)
  end)

  it("leaves the state before on a full disk, and the model can be trained on", function()
    local backup = callbacks.BackupAndRestore{folder .. "/backup", save_freq = 5}
    local full = {on_epoch_begin = function(_, epoch) files.fail_after(epoch == 3 and 100 or 0) end}
    local ok, message = pcall(train, "arrays", backup, full)
    files.fail_after(0)
    assert.is_false(ok)
    assert(message:find("callback BackupAndRestore, on_train_batch_end", 1, true)
      and message:find("latest.backup", 1, true), message)
    assert.are.same({"latest.backup"}, files.list(folder .. "/backup"))
    same(train "arrays", train("arrays",
      callbacks.BackupAndRestore{folder .. "/backup", save_freq = 5}))
  end)

  it("keeps any plain data", function()
    local path = folder .. "/file"
    local data = {
      1, 2.5, -0.0, math.mininteger, 1 / 0, "text\n\"ö", true, {[10] = false, x = {}},
      values = {cusp.tensor{1, 2, 3}},
    }
    backup_file.save(path, data)
    local got = backup_file.load(path)
    assert.are.same({1, 2, 3}, got.values[1]:tolist())
    assert.are.equal("int32", got.values[1].dtype)
    data.values, got.values = nil, nil
    assert.are.same(data, got)
    assert.are.equal("float", math.type(got[3]))
  end)
end)

-- Processes that are really killed.
describe("scripts/examples/resume.lua", function()
  for _, save_freq in ipairs{"epoch", "40"} do
    it("ends with the same weights however often it is killed; save_freq " .. save_freq, function()
      local resumed <close> = Folder.new()
      local build = os.getenv "CUSP_BUILD" or "build"
      local pipe =
        assert(io.popen(("%s/cusp scripts/examples/resume.lua --kill %s %s 2>&1"):format(build,
          resumed.path, save_freq)))
      local text = pipe:read "a"
      local ok = pipe:close()
      assert(ok and text:find("the same weights, the same training.csv", 1, true), text)
    end)
  end
end)
