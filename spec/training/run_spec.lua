-- A run of training as an object: its fields, and its place in the data.
local cusp = require "cusp"
local Run = require "cusp.training.run"
local sources = require "cusp.training.source"
local layers = cusp.layers

local function model_of(train_step)
  local model = cusp.Sequential{layers.Input{shape = {2}}, layers.Dense(1)}
  if train_step then model.train_step = train_step end
  model:compile{optimizer = "sgd", loss = "mse"}
  return model
end

local x, y = cusp.ones{10, 2}, cusp.ones{10, 1}

-- The runs that a fit makes, seen by a callback that asks for its run.
local function run_of(model, options)
  local seen
  local spy = {resume = function(_, run)
    run:keep_place()
    seen = run
  end}
  options.callbacks = {spy, options.callbacks}
  options.verbose = 0
  model:fit(options)
  return seen
end

describe("a run", function()
  it("has the fields that it declares, and no others", function()
    local run = run_of(model_of(), {x, y})
    assert.has_error(function() run.bacth = 1 end, "a run has no field bacth")
    assert.has_error(function() return run.bacth end, "a run has no field bacth")
    assert.is_nil(run.limit)
    run.limit = 3
    assert.equal(3, run.limit)
    assert.has_error(function() Run.new{phase = "predict", sorce = 1} end,
      "a run has no field sorce")
  end)

  it("knows its epoch and the steps done of it", function()
    local seen, run = {}, nil
    run_of(model_of(), {x, y, batch_size = 4, epochs = 2, callbacks = {
      resume = function(_, given) run = given end,
      on_epoch_begin = function() seen[#seen + 1] = run.epoch .. ":" .. run.done end,
      on_train_batch_end = function(_, batch)
        assert.equal(batch, run.done)
        seen[#seen + 1] = run.epoch .. ":" .. run.done
      end,
    }})
    assert.same({"1:0", "1:1", "1:2", "1:3", "2:0", "2:1", "2:2", "2:3"}, seen)
  end)

  it("counts what was taken of the data, by Lua or without it", function()
    for _, callbacks in ipairs{{}, {on_train_batch_end = function() end}} do
      local place = run_of(model_of(),
        {x, y, batch_size = 4, epochs = 3, callbacks = callbacks}):get_place()
      assert.equal(3, place.passes)
      assert.equal(3, place.taken)
      assert.equal(9, place.calls)
    end
  end)

  it("goes to the place where another one stood", function()
    local model = cusp.Sequential{layers.Input{shape = {}}, layers.Rescaling(1)}
    local function new()
      local run = Run.new{
        model = model, phase = "predict", owner = "predict", limit = 2, pieces = {},
        source = sources.of("predict", {x = cusp.arange(12)}, {batch_size = 3, shuffle = true}),
      }
      run:set_callbacks(nil, {verbose = 0})
      run:take_step()
      return run
    end
    local function rest_of(run)
      run.pieces = {}
      run:run_steps()
      local values = {}
      for i, piece in ipairs(run.pieces) do values[i] = piece[1]:tolist() end
      return values
    end
    local run = new()
    run:keep_place()
    run:rewind()
    run:run_steps()
    local place, other = run:get_place(), new()
    other:set_place(place, true, function() end)
    local expected = rest_of(run)
    assert.equal(2, #expected)
    assert.same(expected, rest_of(other))
    assert.equal(4, other:get_place().taken)
  end)

  it("of fit passes no code that resumes, where no callback does", function()
    local program = [[
      local cusp = require "cusp"
      local model = cusp.Sequential{cusp.layers.Dense(1)}
      model:compile{loss = "mse"}
      model:fit{cusp.ones{4, 2}, cusp.ones{4, 1}, verbose = 0}
      print(package.loaded["cusp.callbacks.resuming"])]]
    local pipe = io.popen(("%s/cusp -e '%s' 2>&1"):format(os.getenv "CUSP_BUILD" or "build",
      program))
    assert.equal("nil\n", pipe:read "a")
    pipe:close()
  end)
end)
