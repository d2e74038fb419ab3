-- Models as C programs, compiled and compared with what the models predict.
local cusp = require "cusp"
local engine = require "cusp.engine"
local exported = require "spec.support.exported"
local folder = require "spec.support.folder"
local layers, ops = cusp.layers, cusp.ops

local build, chain, check, has = exported.build, exported.chain, exported.check, exported.has
local randomize, run, FLAGS = exported.randomize, exported.run, exported.flags

describe("export_c", function()
  it("computes dense layers, activations and normalizations as the model does", function()
    check{
      dense = chain({7}, layers.Dense{5, activation = "tanh"}, layers.Dense{3}),
      activations = chain({6}, layers.Activation "hard_sigmoid", layers.Activation "mish",
        layers.Activation "gelu", layers.Activation "selu", layers.Activation "log_softmax"),
      slopes = chain({4, 6}, layers.LeakyReLU(), layers.PReLU(), layers.ReLU{max_value = 0.5}),
      softmax = chain({4, 6}, layers.Softmax{axis = 1}),
      batch = chain({4, 6}, layers.BatchNormalization()),
      layer = chain({4, 6}, layers.LayerNormalization(), layers.RMSNormalization()),
      group = chain({4, 6}, layers.GroupNormalization{3}, layers.UnitNormalization()),
    }
  end)

  it("computes convolutions and pooling", function()
    check{
      causal = chain({12, 3}, layers.Conv1D{4, 3, padding = "causal", dilation_rate = 2}),
      strided = chain({9, 8, 3}, layers.Conv2D{6, 3, padding = "same", strides = 2,
        activation = "relu"}, layers.AveragePooling2D{2, padding = "same"}),
      grouped = chain({9, 8, 4}, layers.Conv2D{6, 3, groups = 2}, layers.MaxPooling2D()),
      volume = chain({5, 6, 4, 2}, layers.Conv3D{3, 2}, layers.GlobalMaxPooling3D()),
      depthwise = chain({9, 8, 3}, layers.DepthwiseConv2D{3, depth_multiplier = 2}),
      separable = chain({9, 8, 3}, layers.SeparableConv2D{4, 3}),
      transposed = chain({5, 6, 3}, layers.Conv2DTranspose{4, 3, strides = 2, padding = "same"}),
      first = chain({3, 9, 8}, layers.Conv2D{4, 3, data_format = "channels_first"}),
      resized = chain({6, 5, 2}, layers.UpSampling2D{2}, layers.ZeroPadding2D{1},
        layers.Resizing{5, 6}, layers.GlobalAveragePooling2D()),
    }
  end)

  it("computes recurrent layers, with masks", function()
    check{
      lstm = chain({5, 3}, layers.LSTM{4, return_sequences = true}, layers.LSTM{3}),
      both = chain({5, 3}, layers.Bidirectional{layers.GRU{4, return_sequences = true}}),
      before = chain({5, 3}, layers.GRU{4, reset_after = false}),
      simple = chain({5, 3}, layers.SimpleRNN{4}),
      convolved = chain({3, 5, 5, 2}, layers.ConvLSTM2D{2, 2}),
      cells = chain({4, 3}, layers.RNN{cell = {layers.LSTMCell{3}, layers.GRUCell{2}}}),
      masked = build({6}, function(x)
        return layers.LSTM{3}(layers.Embedding{10, 4, mask_zero = true}(x))
      end, "int32"),
      timed = build({6}, function(x)
        return layers.TimeDistributed{layers.Dense{2}}(layers.Embedding{9, 4, mask_zero = true}(x))
      end, "int32"),
    }
  end)

  it("computes attention, merging layers and rearrangements", function()
    check{
      heads = build({5, 6}, function(x)
        return layers.MultiHeadAttention{num_heads = 2, key_dim = 3}(x, x,
          {use_causal_mask = true})
      end),
      grouped = build({5, 6}, function(x)
        return layers.GroupQueryAttention{head_dim = 3, num_query_heads = 4,
          num_key_value_heads = 2}(x, x)
      end),
      additive = build({5, 6}, function(x) return layers.AdditiveAttention()({x, x}) end),
      merged = build({5, 6}, function(x)
        local a, b = layers.Dense{4}(x), layers.Dense{4}(x)
        return layers.Concatenate()({layers.Add()({a, b}), layers.Maximum()({a, b}),
          layers.Multiply()({a, b}), layers.Subtract()({a, b})})
      end),
      rearranged = chain({3, 4, 2}, layers.Permute{2, 3, 1}, layers.Reshape{-1, 3},
        layers.Flatten(), layers.RepeatVector{2}),
      categories = chain({5}, layers.Discretization{bin_boundaries = {-0.5, 0, 0.5}}),
    }
  end)

  it("computes operations outside of layers, and several outputs", function()
    local a, b = cusp.Input{shape = {4}, name = "exp"}, cusp.Input{shape = {4}, name = "int"}
    local shared = layers.Dense{4, activation = "relu"}
    local h = shared(a)
    check{
      several = randomize(cusp.Model{inputs = {left = a, right = b},
        outputs = {shared(b), h, a, h, b * 2}}),
      found = cusp.Model{inputs = a, outputs = {ops.argmax(a, -1), ops.sort(a),
        (ops.top_k(a, 2)), ops.cumsum(a, 2), ops.one_hot(ops.argmax(a, -1), 4), a:greater(0)}},
      reduced = cusp.Model{inputs = a, outputs = {ops.max(a, 2), ops.prod(a, 2),
        ops.any(a:greater(2), 2), ops.std(a, 2), ops.logsumexp(a, 2)}},
    }
  end)

  it("names copies of reversed values apart, and reads no positions along axes of one", function()
    local function reversed(x)
      local sorted = ops.sort(x, {axis = 3})
      return ops.reshape(ops.flip(sorted, 3), {-1, 4}) + ops.reshape(ops.flip(sorted, 2), {-1, 4})
    end
    check{
      copies = build({4, 4}, reversed, nil, 2),
      sorted = build({4, 1}, function(x) return ops.sort(x * 2, {axis = 3}) end),
      taken = build({4, 1}, function(x)
        return ops.take_along_axis(x, ops.cast(x * 0, "int32"), {axis = 3})
      end),
    }
  end)

  it("takes the weights of layers that the model does not know of", function()
    local hidden = layers.Dense{3}
    hidden:build{1, 4}
    check{hidden = chain({4}, layers.Lambda{function(x) return hidden(x) end})}
  end)

  it("keeps the state of recurrent layers with the caller", function()
    local model = randomize(cusp.Sequential{cusp.Input{shape = {5, 3}, batch_size = 2},
      layers.LSTM{4, stateful = true, return_sequences = true}, layers.GRU{3, stateful = true}})
    model:predict{cusp.ones{2, 5, 3}, verbose = 0}
    check{stateful = model}
  end)

  it("keeps states that are moved from one to the other", function()
    local Shift = cusp.Layer:extend "Shift"
    function Shift:init(args)
      cusp.Layer.init(self, args)
      self.state_size, self.output_size = {3, 3}, 3
    end
    function Shift:build() end
    function Shift:call(x, states) return {x + states[2], {x, states[1]}} end
    local x = cusp.Input{shape = {1, 3}, batch_size = 1}
    check{shifting = cusp.Model{inputs = x, outputs = layers.RNN{cell = Shift(),
      stateful = true}(x)}}
  end)

  it("computes other numbers of rows at once, and doubles", function()
    local x = cusp.Input{shape = {4}, dtype = "float64"}
    check({rows = chain({4}, layers.Dense{3}),
      double = cusp.Model{inputs = x,
        outputs = layers.Dense{3, activation = "sigmoid", dtype = "float64"}(x)}}, {batch_size = 3})
  end)

  it("writes loops and branches of one's own", function()
    local function lambda(f)
      return build({2, 3}, function(x) return layers.Lambda{f}(x) end, nil, 4)
    end
    local function rounds(x) return ops.transpose(x, {2, 1, 3}) end
    local models = {
      while_loop = lambda(function(x)
        return ops.while_loop(function(v) return ops.sum(ops.abs(v)):less(1000) end,
          function(v) return v * 1.5 + 0.1 end, {x})
      end),
      fori_loop = lambda(function(x)
        return ops.fori_loop(1, 6, function(i, v) return v * 0.5 + ops.cast(i, "float32") end, x)
      end),
      swapped = lambda(function(x)
        local last, all = ops.scan(function(c, v) return {c[2], c[1] + v}, c[1] end,
          {ops.zeros{4, 3}, ops.ones{4, 3}}, rounds(x), nil, true)
        return ops.concatenate({last[1], last[2], all[1], all[2]}, 2)
      end),
      nested = lambda(function(x)
        return ops.map(function(rows)
          return ops.map(function(row) return ops.softmax(row) + ops.sum(rows) end, rows)
        end, x)
      end),
      cond = lambda(function(x)
        return ops.cond(ops.sum(x):greater(0), function() return x * 2 end,
          function() return x - 1 end)
      end),
      switch = lambda(function(x)
        local index = ops.cast(ops.floor(ops.sum(x)), "int32")
        return ops.switch(index, {ops.exp, function(v) return v end, ops.square}, x)
      end),
    }
    check(models)
    check(models, {weights = "int8"})
  end)

  it("writes the step of a recurrent layer once", function()
    local place <close> = folder.new()
    local steps = {}
    for i, count in ipairs{3, 30} do
      steps[i] = chain({count, 3}, layers.RNN{cell = layers.LSTMCell{4}}):export_c(
        ("%s/net%d.c"):format(place.path, i)).steps
    end
    assert.equal(steps[1], steps[2])
  end)

  it("skips zeros around images", function()
    local place <close> = folder.new()
    local model = chain({6, 5, 2}, layers.ZeroPadding2D{{1, 2}, {2, 0}},
      layers.Conv2D{4, 3, strides = 2}, layers.ZeroPadding2D{1}, layers.DepthwiseConv2D{2})
    check{padded = model}
    assert.equal(2, model:export_c(place.path .. "/net.c").steps)
  end)

  it("joins values without copies", function()
    local place <close> = folder.new()
    local model = build({4}, function(x)
      return layers.Concatenate()({layers.Dense{3}(x), layers.Dense{2, activation = "relu"}(x)})
    end)
    check{joined = model}
    assert.are.same({steps = 2, work_bytes = 0, weight_bytes = 100},
      model:export_c(place.path .. "/net.c"))
  end)

  it("stores weights as int8", function()
    local model = chain({9, 8, 8}, layers.Conv2D{16, 3, activation = "relu"}, layers.Flatten(),
      layers.Dense{20})
    check({small = model,
      sequence = chain({6, 8}, layers.LSTM{8, return_sequences = true}, layers.GRU{8}),
      lookup = build({6}, function(x) return layers.Embedding{20, 8}(x) end, "int32"),
    }, {weights = "int8"})
    local place <close> = folder.new()
    local whole = model:export_c(place.path .. "/a.c")
    local quarter = model:export_c(place.path .. "/b.c", {weights = "int8"})
    assert.is_true(quarter.weight_bytes < 0.3 * whole.weight_bytes)
    assert.is_true(quarter.difference > 0 and quarter.difference < 1)
    assert.is_nil(whole.difference)
  end)

  it("makes a program that predicts what the model predicts", function()
    if not has "cc" then return pending "no C compiler" end
    local place <close> = folder.new()
    local model = chain({4}, layers.Dense{3, activation = "tanh"}, layers.Dense{2})
    local x = cusp.tensor{{1.5, -2, 0.25, 3}, {0, 1, 0, -1}}
    local expected = model:predict{x, verbose = 0}:tolist()
    model:export_c(place.path .. "/net.c", {prefix = "my_net", main = true, samples = x})
    assert.is_true(run(("cd '%s' && cc %s net.c -lm -o net && ./net --self-test"):format(
      place.path, FLAGS)))
    local _, output = run(("printf '1.5 -2 0.25 3\\n0 1 0 -1\\n' | '%s/net'"):format(place.path))
    local numbers = {}
    for number in output:gmatch "%S+" do numbers[#numbers + 1] = assert(tonumber(number)) end
    for i = 1, 4 do
      assert.near(expected[(i + 1) // 2][(i - 1) % 2 + 1], numbers[i], 1e-5)
    end
    assert.is_false((run(("'%s/net' --other"):format(place.path))))
  end)

  it("gives a header that C and C++ read, and code that other compilers take", function()
    local place <close> = folder.new()
    chain({8, 8, 1}, layers.Conv2D{4, 3, activation = "relu"}, layers.Flatten(),
      layers.Dense{10, activation = "softmax"}):export_c(place.path .. "/net.c", {main = true})
    local user = assert(io.open(place.path .. "/user.c", "w"))
    user:write '#include "net.h"\nfloat f(void);\nfloat f(void) { return net_self_test(); }\n'
    user:close()
    for _, compiler in ipairs{"cc " .. FLAGS, "clang " .. FLAGS, "arm-none-eabi-gcc " .. FLAGS,
      "c++ -std=c++17 -x c++ -Wall -Wextra -Werror"} do
      if has(compiler:match "%S+") then
        local names = compiler:find "c%+%+" and "user.c" or "net.c user.c"
        local ok, output = run(("cd '%s' && %s -c %s"):format(place.path, compiler, names))
        assert.is_true(ok, compiler .. ": " .. output)
      end
    end
  end)

  it("shares memory between values that are not needed together", function()
    local place <close> = folder.new()
    local deep = {}
    for i = 1, 10 do deep[i] = layers.Dense{100, activation = "relu"} end
    local report = chain({100}, table.unpack(deep)):export_c(place.path .. "/net.c")
    assert.equal(2 * 100 * 4, report.work_bytes)
  end)
end)

describe("export_c refuses", function()
  local function refuses(pattern, model, path, options)
    local place <close> = folder.new()
    local ok, message = pcall(model.export_c, model, place.path .. "/" .. path, options)
    assert.is_false(ok)
    assert.matches(pattern, message, 1, true)
    assert.is_nil(io.open(place.path .. "/" .. path:gsub("c$", "h")))
    assert.is_nil(io.open(place.path .. "/" .. path))
  end
  local small = chain({4}, layers.Dense{3})

  it("sizes that are not known", function()
    local x = cusp.Input{shape = {cusp.None, 4}, name = "steps"}
    refuses("the input 'steps' has shape [None, None, 4]",
      cusp.Model{inputs = x, outputs = layers.Dense{3}(x)}, "net.c")
  end)

  it("operations that it cannot say, naming the layer", function()
    local x = cusp.Input{shape = {4}}
    local half = layers.Dense{3, dtype = "mixed_float16", name = "halves"}
    refuses("of float16 is not supported", cusp.Model{inputs = x, outputs = half(x)}, "net.c")
    local square = cusp.Input{shape = {3, 3}}
    refuses("the layer 'solving'", cusp.Model{inputs = square,
      outputs = layers.Lambda{cusp.ops.inv, name = "solving"}(square)}, "net.c")
  end)

  it("a layer that changes its variables in each call", function()
    local Counter = cusp.Layer:extend "Counter"
    function Counter:build()
      self.count = self:add_weight{name = "count", shape = {}, initializer = "zeros",
        trainable = false}
    end
    function Counter:call(x)
      self.count:assign_add(1)
      return x * self.count
    end
    local x = cusp.Input{shape = {4}}
    refuses("count'; only the states of recurrent layers",
      cusp.Model{inputs = x, outputs = Counter()(x)}, "net.c")
  end)

  it("full disks and absent folders, and leaves both files as they were", function()
    local place <close> = folder.new()
    local path = place.path .. "/net.c"
    local function contents()
      local both = {}
      for i, ending in ipairs{"c", "h"} do
        local file <close> = assert(io.open((path:gsub("c$", ending))))
        both[i] = file:read "a"
      end
      return both
    end
    small:export_c(path)
    local before = contents()
    for _, bytes in ipairs{1, #before[2] + 100, #before[2] + #before[1] - 100} do
      engine.files.fail_after(bytes)
      local ok = pcall(small.export_c, small, path, {prefix = "another"})
      engine.files.fail_after(0)
      assert.is_false(ok)
      assert.same(before, contents())
    end
    local ok, message = pcall(small.export_c, small, place.path .. "/absent/net.c")
    assert.is_false(ok)
    assert.matches("export_c: ", message, 1, true)
  end)

  it("models without inputs, other names, and options that it does not know", function()
    refuses("give a Sequential model an Input", cusp.Sequential{layers.Dense{3}}, "net.c")
    refuses("a file name that ends in .c", small, "net.cpp")
    refuses("'prefix' should be the beginning of a C name", small, "net.c", {prefix = "2 b"})
    refuses("weights", small, "net.c", {weights = "int4"})
    refuses("'samples' for the input 'x' should have shape", small, "net.c",
      {samples = cusp.ones{2, 5}})
  end)
end)
