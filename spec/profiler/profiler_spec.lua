-- Profiles: what is recorded of plans, whose it is, and the files that it is written to.
local cusp = require "cusp"
local engine = require "cusp.engine"
local folder = require "spec.support.folder"
local json = require "cusp.formats.json"
local protobuf = require "cusp.formats.protobuf"
local text_files = require "spec.support.text_files"
local layers, profiler = cusp.layers, cusp.profiler

local function make_model()
  local model = cusp.Sequential{
    cusp.Input{shape = {72}}, layers.Dense{32, activation = "relu", name = "hidden"},
    layers.Dense{10, name = "classes"}, name = "small",
  }
  model:compile{
    optimizer = "adam", metrics = {"accuracy"},
    loss = cusp.losses.SparseCategoricalCrossentropy{from_logits = true},
  }
  return model
end

local function data(rows)
  return cusp.random.uniform{rows, 72}, cusp.random.randint({rows}, 0, 10)
end

local function find(list, key)
  for _, item in ipairs(list) do
    if item.key == key then return item end
  end
end

-- The step of the operation, of the layer and direction.
local function step_of(report, op, layer, backward)
  for _, step in ipairs(report.kernels) do
    if step.op == op and step.layer == layer and step.backward == backward then return step end
  end
end

describe("what is recorded", function()
  local report
  setup(function()
    local model, x, y = make_model(), data(96)
    report = model:profile{x, y, batch_size = 32, steps = 3}
  end)

  it("is a step for each batch", function()
    assert.equal(3, report.n_steps)
    assert.is_true(report.kernel_seconds > 0 and report.kernel_seconds <= report.seconds)
    assert.equal(0, report.dropped)
  end)

  it("has the layers, forward and backward, and the parts around them", function()
    local sums = report:by_layer()
    for _, key in ipairs{"small/hidden", "small/classes", "loss"} do
      local sum = find(sums, key)
      assert.is_true(sum.forward > 0 and sum.backward > 0, key)
      assert.near(sum.seconds, sum.forward + sum.backward, 1e-12)
    end
    assert.is_nil(find(sums, "optimizer").backward)
    assert.is_not_nil(find(sums, "metrics"))
  end)

  it("divides all time among operations, and among layers", function()
    for _, sums in ipairs{report:by_operation(), report:by_layer()} do
      local total = 0
      for _, sum in ipairs(sums) do total = total + sum.seconds end
      assert.near(report.kernel_seconds, total, 1e-9)
    end
  end)

  it("counts operations and bytes of a product", function()
    local forward = step_of(report, "matmul", "small/hidden", false)
    assert.equal(2.0 * 32 * 72 * 32, forward.work)
    assert.equal(4.0 * (32 * 72 + 72 * 32 + 32 * 32), forward.bytes)
    assert.equal(3, forward.runs)
    assert.equal("float32[32, 32] = float32[32, 72], float32[72, 32]", forward.types)
    assert.is_not_nil(step_of(report, "matmul", "small/hidden", true))
  end)

  it("says what a loop fuses, and whose it is", function()
    local found
    for _, step in ipairs(report.kernels) do
      if step.name == "add+relu" then found = step end
    end
    assert.equal("small/hidden", found.parts[1].layer)
    assert.same({"add", "relu"}, {found.parts[1].op, found.parts[2].op})
  end)

  it("knows the memory in use meanwhile", function()
    local points = report:memory()
    local most = 0
    for _, point in ipairs(points) do most = math.max(most, point.working) end
    assert.is_true(#points >= 3 * 10 and most >= 4 * (32 * 32 + 72 * 32)) -- a kernel's gradient
    for i, point in ipairs(points) do
      assert.is_true(point.working >= 0 and point.live > 0)
      assert.is_true(i == 1 or point.time >= points[i - 1].time)
    end
  end)

  it("is shown as tables", function()
    local text = tostring(report)
    for _, word in ipairs{"3 steps, each", "GFLOP/s", "small/hidden", "forward", "backward",
      "matmul of small/classes (backward)", "fused add+relu", "memory: ", "over a step: "} do
      assert.is_truthy(text:find(word, 1, true), word)
    end
  end)
end)

describe("work", function()
  -- The sums of multiplications and additions of one kind of row, over all its steps.
  local function work_of(report, op)
    local work = 0
    for _, step in ipairs(report.kernels) do
      if step.op == op then work = work + step.work end
    end
    return work
  end

  it("of convolutions is that of their sums", function()
    local layer = layers.Conv2D{8, 3}
    local model = cusp.Sequential{cusp.Input{shape = {10, 10, 4}}, layer}
    local report = model:profile{cusp.random.uniform{2, 10, 10, 4}, batch_size = 2, steps = 1}
    assert.equal(2.0 * 2 * 8 * 8 * 8 * 3 * 3 * 4, work_of(report, "conv_ended"))
  end)

  it("of recurrent layers is that of both kernels", function()
    local model = cusp.Sequential{cusp.Input{shape = {5, 3}}, layers.LSTM{4}}
    local report = model:profile{cusp.random.uniform{2, 5, 3}, batch_size = 2, steps = 1}
    assert.equal(2.0 * 2 * 5 * (3 + 4) * 16, work_of(report, "lstm_sequence"))
  end)

  it("of causal attention is half of that without", function()
    local q = cusp.random.uniform{1, 8, 2, 4}
    local function attend(causal)
      return profiler.trace(function()
        engine.evaluate{cusp.ops.dot_product_attention(q, q, q, {is_causal = causal})}
      end)
    end
    local whole = work_of(attend(false), "attention_tiles")
    assert.equal(2.0 * 8 * 2 * 8 * 8, whole)
    assert.equal(whole / 2, work_of(attend(true), "attention_tiles"))
  end)

  it("within a loop counts once, in the loop's own steps", function()
    local x = cusp.random.uniform{20, 6, 6}
    local f = cusp.compile(function(t)
      local _, out = cusp.ops.scan(function(carry, item)
        local value = cusp.ops.matmul(carry, item)
        return value, value
      end, cusp.ops.eye(6), t)
      return out
    end)
    f(x)
    local report = profiler.trace(function() engine.evaluate{f(x)} end)
    local total = 0
    for _, step in ipairs(report.steps) do
      assert.is_true(step.own_seconds <= step.seconds + 1e-12)
      total = total + step.own_seconds
    end
    assert.equal(20, step_of(report, "matmul", nil, false).runs)
    assert.is_true(total <= report.seconds)
  end)
end)

describe("start and stop", function()
  it("record nothing before and after", function()
    assert.is_false(profiler.is_running())
    profiler.start()
    assert.is_true(profiler.is_running())
    local report = profiler.stop()
    assert.is_false(profiler.is_running())
    assert.equal(0, #report.events)
    assert.is_truthy(tostring(report):find("no plan ran", 1, true))
  end)

  it("say what is wrong", function()
    assert.has_error.matches(function() profiler.stop() end, "profiler.stop: no profile is being")
    profiler.start()
    local ok, message = pcall(profiler.start)
    profiler.stop()
    assert.is_false(ok)
    assert.matches("profiler.start: a profile is being recorded already", message)
    assert.has_error.matches(function() profiler.start(3) end, "'logdir'")
    assert.has_error.matches(function() profiler.trace "logs" end, "expected a function")
  end)

  it("end with an error of what is profiled", function()
    assert.has_error.matches(function()
      profiler.trace(function() error "mine" end)
    end, "mine")
    assert.is_false(profiler.is_running())
    pcall(function()
      local _ <close> = profiler.Profile()
      error "mine"
    end)
    assert.is_false(profiler.is_running())
  end)

  it("go with a block, and name spans", function()
    local profile = profiler.Profile()
    do
      local _ <close> = profiler.Trace{"mine", step_num = 7}
      engine.evaluate{cusp.ones{3} + cusp.random.uniform{3}}
    end
    profile:close()
    assert.equal("mine", profile.report.marks[1].name)
    assert.equal(7, profile.report.marks[1].step_num)
    assert.equal(1, profile.report.n_steps)
  end)

  it("survive plans that are dropped meanwhile", function()
    profiler.start()
    for size = 1, 20 do engine.evaluate{cusp.random.uniform{size} * 2} end
    collectgarbage()
    local report = profiler.stop()
    assert.is_true(#report.kernels >= 20)
  end)
end)

describe("model:profile", function()
  it("leaves weights, the optimizer's state and metrics as they were", function()
    local model, x, y = make_model(), data(64)
    local history = model:fit{x, y, epochs = 1, verbose = 0}
    local before, iterations = {}, model.optimizer.iterations:item()
    for i, variable in ipairs(model.variables) do before[i] = variable:tolist() end
    model:profile{x, y, steps = 2}
    for i, variable in ipairs(model.variables) do assert.same(before[i], variable:tolist()) end
    assert.equal(iterations, model.optimizer.iterations:item())
    assert.equal(history, model.history)
  end)

  it("predicts where there are no targets, or no loss", function()
    local model = cusp.Sequential{layers.Dense{4, name = "alone"}}
    local report = model:profile{cusp.random.uniform{64, 3}, batch_size = 16, steps = 4}
    assert.equal(4, report.n_steps)
    assert.is_nil(report:by_layer()[1].backward)
  end)

  it("evaluates where that is asked for", function()
    local model, x, y = make_model(), data(64)
    local report = model:profile{x, y, method = "evaluate", steps = 2}
    assert.is_nil(find(report:by_layer(), "optimizer"))
    assert.is_not_nil(find(report:by_layer(), "loss"))
    assert.has_error.matches(function() model:profile{x, y, method = "train"} end,
      "'method' should be")
  end)
end)

describe("files", function()
  local function written(logs)
    local model, x, y = make_model(), data(64)
    return model:profile{x, y, steps = 2, logdir = logs.path}
  end

  local function read_folder(report, ending)
    for name in io.popen("ls '" .. report.folder .. "'"):lines() do
      if name:sub(-#ending) == ending then
        return text_files.read(report.folder .. "/" .. name)
      end
    end
  end

  it("are a plane of events with their layers", function()
    local logs <close> = folder.new()
    local report = written(logs)
    assert.matches("/plugins/profile/[%d_]+$", report.folder)
    local space = protobuf.decode("tensorflow.profiler.XSpace",
      read_folder(report, ".xplane.pb"))
    local plane = space.planes[1]
    assert.equal("/host:CPU", plane.name)
    local names, stats = {}, {}
    for _, entry in ipairs(plane.event_metadata) do names[entry.value.name] = entry.key end
    for _, entry in ipairs(plane.stat_metadata) do stats[entry.value.name] = entry.key end
    assert.is_truthy(names["small/hidden/matmul:Matmul"])
    assert.is_truthy(names["small/hidden/matmul_backward:Matmul"])
    assert.is_truthy(names.MemoryAllocation and names.MemoryDeallocation)
    assert.is_truthy(stats.bytes_allocated and stats.peak_bytes_in_use)
    local steps, last = 0, 0
    for _, event in ipairs(plane.lines[1].events) do
      assert.is_true(event.offset_ps >= last and event.duration_ps >= 0)
      last = event.offset_ps
      for _, stat in ipairs(event.stats) do
        if stat.metadata_id == stats.step_num then steps = steps + 1 end
      end
    end
    assert.equal(2, steps)
  end)

  it("are a Chrome trace", function()
    local logs <close> = folder.new()
    local report = written(logs)
    local trace = json.decode(read_folder(report, ".trace.json"))
    local found, counted
    for _, event in ipairs(trace.traceEvents) do
      if event.name == "small/classes/matmul" and event.args.direction == "backward" then
        found = event
      end
      counted = counted or event.ph == "C"
    end
    assert.equal("X", found.ph)
    assert.is_true(found.dur > 0 and found.args.flops == 2 * 32 * 32 * 10)
    assert.is_true(counted)
  end)

  it("do not replace each other", function()
    local logs <close> = folder.new()
    local report = profiler.trace(function() engine.evaluate{cusp.random.uniform{3} + 1} end)
    assert.not_equal(report:save(logs.path), report:save(logs.path))
    local path = logs.path .. "/trace.json"
    report:save_trace(path)
    assert.is_true(#json.decode(text_files.read(path)).traceEvents > 3)
    assert.has_error.matches(function() report:save_trace() end, "expected the path of a file")
  end)
end)
