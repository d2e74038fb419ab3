local checkpoint = require "cusp.saving.checkpoint"
local cusp = require "cusp"
local files = require "cusp.engine".files
local folder = require "spec.support.folder"
local message_of = require "spec.support.message"
local layers = cusp.layers

local function dense(units)
  return cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(units or 4, {name = "hidden"}),
    layers.Dense(2, {name = "out"})}
end

local x <const>, y <const> = cusp.ones{8, 3}, cusp.ones{8, 2}

local function trained(optimizer)
  local model = dense()
  model:compile{optimizer = optimizer or "adam", loss = "mse"}
  model:fit{x, y, epochs = 2, verbose = 0}
  return model
end

local function same_weights(a, b)
  assert.equal(#a.weights, #b.weights)
  for i, variable in ipairs(a.weights) do
    assert.equal(variable.value:tobytes(), b.weights[i].value:tobytes())
  end
end

local function bytes_of(model)
  local parts = {}
  for i, variable in ipairs(model.weights) do parts[i] = variable.value:tobytes() end
  return table.concat(parts)
end

-- What f writes to standard error, without showing it.
local function stderr_of(f)
  local written, stderr = {}, io.stderr
  -- luacheck: ignore
  io.stderr = {write = function(_, ...) written[#written + 1] = table.concat{...} end}
  local ok, message = pcall(f)
  io.stderr = stderr -- luacheck: ignore
  if not ok then error(message, 0) end
  return table.concat(written)
end

describe("a checkpoint", function()
  it("is loaded into a model of the same structure, optimizer included", function()
    local out <close> = folder.new()
    local model, again = trained(), trained()
    checkpoint.save(out.path .. "/weights", model)
    checkpoint.load(out.path .. "/weights", again):assert_consumed()
    same_weights(model, again)
    model:fit{x, y, epochs = 2, shuffle = false, verbose = 0}
    again:fit{x, y, epochs = 2, shuffle = false, verbose = 0}
    same_weights(model, again)
    assert.same({"checkpoint", "weights.data-00000-of-00001", "weights.index"},
      files.list(out.path))
  end)

  it("gives a model that is built later its weights then, and an optimizer its state", function()
    local out <close> = folder.new()
    local model = trained()
    checkpoint.save(out.path .. "/weights", model)
    local unbuilt = cusp.Sequential{layers.Dense(4), layers.Dense(2)}
    unbuilt:compile{optimizer = "adam", loss = "mse"}
    local status = checkpoint.load(out.path .. "/weights", unbuilt)
    assert.equal(2, unbuilt.optimizer.iterations:item())
    assert.matches("no counterpart", message_of(status.assert_consumed, status))
    assert.equal(model:predict{x, verbose = 0}:tobytes(), unbuilt:predict{x, verbose = 0}:tobytes())
    model:fit{x, y, epochs = 2, shuffle = false, verbose = 0}
    unbuilt:fit{x, y, epochs = 2, shuffle = false, verbose = 0}
    status:assert_consumed()
    same_weights(model, unbuilt)
  end)

  it("gives a model that is compiled later its optimizer's state then", function()
    local out <close> = folder.new()
    local model, again = trained(), dense()
    checkpoint.save(out.path .. "/weights", model)
    local status = checkpoint.load(out.path .. "/weights", again)
    again:compile{optimizer = "adam", loss = "mse"}
    model:fit{x, y, epochs = 2, shuffle = false, verbose = 0}
    again:fit{x, y, epochs = 2, shuffle = false, verbose = 0}
    status:assert_consumed()
    same_weights(model, again)
  end)

  it("follows fields, lists and tables of subclassed models, and metrics among them", function()
    local Block = layers.Layer:extend("CheckpointBlock", {
      init = function(self, args)
        layers.Layer.init(self, args)
        self.inner = {layers.Dense(3), layers.Dense(3)}
      end,
      build = function(self) self.scale = self:add_weight{name = "gain", shape = {3}} end,
      call = function(self, inputs) return self.inner[2](self.inner[1](inputs)) * self.scale end,
    })
    local Net = cusp.Model:extend("CheckpointNet", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.blocks, self.heads = {Block(), {Block()}}, {b = layers.Dense(2), a = layers.Dense(2)}
        self.mean = cusp.metrics.Mean()
        self.step = cusp.Variable(3, {dtype = "int64", trainable = false, name = "counter"})
        self.again = self.heads.a
      end,
      call = function(self, inputs)
        return self.heads.a(self.blocks[2][1](self.blocks[1](inputs))) + self.heads.b(inputs)
      end,
    })
    local out <close> = folder.new()
    local net, other = Net(), Net()
    local expected = net(x)
    net.mean:update_state(5)
    net.step:assign(7)
    checkpoint.save(out.path .. "/net", net)
    local keys = {}
    for i, entry in ipairs(checkpoint.list_variables(out.path .. "/net")) do
      keys[i] = entry.name:gsub("/.ATTRIBUTES.*", "")
    end
    assert.same({
      "_CHECKPOINTABLE_OBJECT_GRAPH", "again/bias", "again/kernel", "blocks/0/gain",
      "blocks/0/inner/0/bias", "blocks/0/inner/0/kernel",
      "blocks/0/inner/1/bias", "blocks/0/inner/1/kernel", "blocks/1/0/gain",
      "blocks/1/0/inner/0/bias", "blocks/1/0/inner/0/kernel",
      "blocks/1/0/inner/1/bias", "blocks/1/0/inner/1/kernel", "heads/b/bias", "heads/b/kernel",
      "mean/count", "mean/total", "step",
    }, keys)
    local status = checkpoint.load(out.path .. "/net", other)
    assert.equal(expected:tobytes(), other(x):tobytes())
    status:assert_consumed()
    assert.equal(7, other.step:item())
    assert.equal(5, other.mean:result():item())
  end)

  it("is refused where shapes differ, naming layer, variable and shapes; the model stays as it was",
    function()
    local out <close> = folder.new()
    checkpoint.save(out.path .. "/weights", trained())
    local wide = dense(5)
    local before = bytes_of(wide)
    local message = message_of(checkpoint.load, out.path .. "/weights", wide)
    assert.matches(
      "/weights: layer 'hidden' %(Dense%), variable 'kernel' has shape %[3, 5%] in the model, but "
      .. "%[3, 4%] in the checkpoint",
      message)
    assert.equal(before, bytes_of(wide))
    local warned = stderr_of(function()
      checkpoint.load(out.path .. "/weights", wide, {skip_mismatch = true}):expect_partial()
    end)
    assert.matches("variable 'kernel' has shape .* skipped", warned)
    assert.not_equal(before, bytes_of(wide))
  end)

  it("is refused where nothing in it belongs to the model", function()
    local out <close> = folder.new()
    local Net = cusp.Model:extend("CheckpointOther", {
      init = function(self, args)
        cusp.Model.init(self, args)
        self.layer_of_mine = layers.Dense(2)
      end,
      call = function(self, inputs) return self.layer_of_mine(inputs) end,
    })
    local net = Net()
    net(x)
    checkpoint.save(out.path .. "/net", net)
    local message = message_of(checkpoint.load, out.path .. "/net", dense())
    assert.matches(
      "none of the weights of 'sequential[_%d]*' are in this checkpoint, whose root has: "
      .. "layer_of_mine, root", message)
  end)

  it("may hold more or less than the model: the status tells, and a warning names what was not "
    .. "used", function()
    local out <close> = folder.new()
    local model = trained()
    checkpoint.save(out.path .. "/weights", model)
    local short = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)}
    local text = stderr_of(function()
      local status = checkpoint.load(out.path .. "/weights", short)
      status:assert_existing_objects_matched():assert_nontrivial_match()
      assert.matches(
        "values of the checkpoint have no counterpart in the model: "
        .. "%(root%).layer_with_weights%-1.kernel",
        message_of(status.assert_consumed, status))
      status, short = nil, nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
    end)
    assert.matches("not used", text)
    assert.matches("without a counterpart in the model: %(root%).layer_with_weights%-1.bias\n",
      text)
    assert.matches("%(root%).optimizer._variables.8\n", text)
    assert.equal("", stderr_of(function()
      checkpoint.load(out.path .. "/weights",
        cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)}):expect_partial()
      collectgarbage()
      collectgarbage()
    end))
    local long = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4), layers.Dense(2),
      layers.Dense(7, {name = "new"})}
    local status = checkpoint.load(out.path .. "/weights", long):expect_partial()
    assert.matches(
      "no value for 2 of the model's variables: layer 'new' %(Dense%), variable 'kernel'",
      message_of(status.assert_existing_objects_matched, status))
  end)

  it("is found in its folder, by name with or without .index; what is none is an error that names "
    .. "it", function()
    local out <close> = folder.new()
    local model, again = trained(), trained()
    checkpoint.save(out.path .. "/sub/weights-1", model)
    assert.equal(out.path .. "/sub/weights-1", checkpoint.latest_checkpoint(out.path .. "/sub"))
    assert.is_nil(checkpoint.latest_checkpoint(out.path))
    checkpoint.load(out.path .. "/sub", again):assert_consumed()
    checkpoint.load(out.path .. "/sub/weights-1.index", again):assert_consumed()
    assert.is_true(checkpoint.exists(out.path .. "/sub/weights-1"))
    assert.matches("/none.index: No such file",
      message_of(checkpoint.load, out.path .. "/none", again))
    assert.matches("has no file 'checkpoint'", message_of(checkpoint.load, out.path, again))
    assert.matches("expected the path of a checkpoint, got nil",
      message_of(checkpoint.load, nil, again))
    assert.matches("that of a folder", message_of(checkpoint.save, out.path .. "/", model))
  end)

  it("holds tables of models, optimizers and variables, too", function()
    local out <close> = folder.new()
    local step = cusp.Variable(7, {dtype = "int64", trainable = false})
    local model = trained()
    checkpoint.save(out.path .. "/all", {net = dense(), optimizer = model.optimizer, step = step})
    local other = {net = dense(), optimizer = trained().optimizer,
      step = cusp.Variable(0, {dtype = "int64", trainable = false})}
    checkpoint.load(out.path .. "/all", other):assert_consumed()
    assert.equal(7, other.step:item())
    assert.equal(model.optimizer.momentums[1].value:tobytes(),
      other.optimizer.momentums[1].value:tobytes())
    assert.matches("expected a model", message_of(checkpoint.load, out.path .. "/all", 5))
  end)

  it("of names that need it is quoted in the text file", function()
    local out <close> = folder.new()
    local name = 'a "b" \\ \u{e9}'
    checkpoint.save(out.path .. "/" .. name, dense())
    assert.equal(out.path .. "/" .. name, checkpoint.latest_checkpoint(out.path))
    local file = io.open(out.path .. "/checkpoint")
    assert.equal('model_checkpoint_path: "a \\"b\\" \\\\ \\303\\251"\n', file:read "L")
    file:close()
  end)

  it("of many layers has an index of several blocks", function()
    local out <close> = folder.new()
    local path = out.path .. "/table"
    local sorted_table = require "cusp.saving.checkpoint.sorted_table"
    local entries = {}
    for i = 1, 9000 do
      entries[i] = {key = ("layer-%05d/kernel/%s"):format(i * 7 % 9001, ("x"):rep(i % 40)),
        value = ("v"):rep(i % 100)}
    end
    local writer = files.create(path)
    writer:write(sorted_table.write(entries))
    writer:commit()
    table.sort(entries, function(a, b) return a.key < b.key end)
    assert.same(entries, sorted_table.read(path))
  end)

  it("is listed and read by name", function()
    local out <close> = folder.new()
    local model = trained()
    checkpoint.save(out.path .. "/weights", model)
    local list = checkpoint.list_variables(out.path .. "/weights")
    assert.same({"layer_with_weights-0/bias/.ATTRIBUTES/VARIABLE_VALUE", {4}},
      {list[2][1], list[2][2]})
    local kernel = "layer_with_weights-1/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert.equal(model.weights[3].value:tobytes(),
      checkpoint.load_variable(out.path .. "/weights", kernel):tobytes())
    assert.equal("string",
      type(checkpoint.load_variable(out.path .. "/weights", "_CHECKPOINTABLE_OBJECT_GRAPH")))
    local reader <close> = checkpoint.reader(out.path .. "/weights")
    assert.equal("int64", reader:entry("optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE").dtype)
    assert.matches("has no tensor named .*did you mean",
      message_of(reader.tensor, reader, kernel .. "S"))
    assert.matches("dtype string",
      message_of(reader.tensor, reader, "_CHECKPOINTABLE_OBJECT_GRAPH"))
  end)
end)
