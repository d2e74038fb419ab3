local cusp = require "cusp"
local message_of = require "spec.support.message"
local layers, ops, Model = cusp.layers, cusp.ops, cusp.Model

local function close(a, b)
  return ops.max(ops.abs(a - b)):item() < 1e-6
end

local function lines_of(model, options)
  local lines = {}
  options = options or {}
  options.print_fn = function(line) lines[#lines + 1] = line end
  model:summary(options)
  return table.concat(lines, "\n")
end

describe("symbolic tensors", function()
  it("print as Keras's do and have no values", function()
    local x = cusp.Input{shape = {72}, name = "pixels"}
    assert.equal("<KerasTensor shape=(None, 72), dtype=float32, name=pixels>", tostring(x))
    assert.equal(cusp.None, x.shape[1])
    assert.matches("has no values", message_of(function() return x:item() end))
    assert.same({8, 72}, cusp.Input{shape = {72}, batch_size = 8}.shape)
    assert.same({cusp.None, 3, 4}, cusp.Input({3, 4}).shape)
  end)

  it("record operations, operators and indices", function()
    local x, y = cusp.Input{4}, cusp.Input{4}
    local z = ops.concatenate({x * 2 + y, -x / 4}, 2)
    assert.same({cusp.None, 8}, z.shape)
    local model = Model{{x, y}, z:sum{axis = 2, keepdims = true}}
    assert.near(4 * 3 - 4 * 0.25, model{cusp.ones{1, 4}, cusp.ones{1, 4}}:item(), 1e-6)
    assert.equal(cusp.None, (ops.transpose(x)).shape[2])
  end)

  it("find sizes that are known, also behind user-defined layers", function()
    local Half = layers.Layer:extend("SpecHalf", {
      call = function(_, x) return ops.reshape(x, {x.shape[1], x.shape[2] // 2, 2}) end,
    })
    assert.same({cusp.None, 4, 2}, Half()(cusp.Input{8}).shape)
    assert.same({cusp.None, cusp.None, 2}, Half()(cusp.Input{cusp.None}).shape)
  end)
end)

describe("functional models", function()
  it("share layers, and may be used as layers", function()
    local dense = layers.Dense(3)
    local a, b = cusp.Input{4}, cusp.Input{4}
    local model = Model{inputs = {a, b}, outputs = layers.subtract{dense(a), dense(b)}}
    assert.equal(2, #model.weights)
    local x = cusp.random.uniform{2, 4}
    assert.near(0, ops.max(ops.abs(model{x, x})):item(), 1e-6)
    local outer_input = cusp.Input{4}
    local outer = Model{outer_input, layers.Dense(1)(model{outer_input, outer_input * 2})}
    assert.same({5, 1}, outer(cusp.ones{5, 4}).shape)
    assert.equal(4, #outer.trainable_weights)
    assert.same({5, 3}, dense(cusp.ones{5, 4}).shape) -- a layer stays usable by itself
  end)

  it("take and give tables by name", function()
    local title, tags = cusp.Input{3, name = "title"}, cusp.Input{2, name = "tags"}
    local both = layers.Concatenate(){title, tags}
    local model = Model{
      inputs = {title = title, tags = tags},
      outputs = {first = layers.Dense{1, name = "first"}(both),
        second = layers.Dense{2, name = "second"}(both)},
    }
    local result = model{title = cusp.ones{4, 3}, tags = cusp.ones{4, 2}}
    assert.same({4, 1}, result.first.shape)
    assert.same({4, 2}, result.second.shape)
    assert.same({"tags", "title"}, model.input_names)
    assert.same({"first", "second"}, model.output_names)
    assert.matches("input named 'tags' is missing", message_of(model, {title = cusp.ones{4, 3}}))
  end)

  it("say what is not connected", function()
    local x, other = cusp.Input{4, name = "x"}, cusp.Input{4, name = "other"}
    local message = message_of(Model, {x, layers.add{layers.Dense(4)(x), other}})
    assert.matches("disconnected", message)
    assert.matches("other", message)
    assert.matches("symbolic tensors", message_of(Model, {inputs = cusp.ones{2}, outputs = x}))
    assert.matches("outputs is missing", message_of(Model, {inputs = x}))
  end)

  it("check shapes and numbers of inputs", function()
    local a, b = cusp.Input{4, name = "a"}, cusp.Input{2, name = "b"}
    local model = Model{{a, b}, layers.concatenate{a, b}}
    assert.matches("expected 2 inputs, got 1", message_of(model, {cusp.ones{1, 4}}))
    assert.matches("input 'b' should have shape %[None, 2%], got %[1, 3%]",
      message_of(model, {cusp.ones{1, 4}, cusp.ones{1, 3}}))
  end)

  it("begin in the middle of another", function()
    local x = cusp.Input{4}
    local hidden = layers.Dense(3)(x)
    local y = layers.Dense(2)(hidden)
    local full, head, body = Model{x, y}, Model{hidden, y}, Model{x, hidden}
    local data = cusp.random.uniform{2, 4}
    assert.is_true(close(full(data), head(body(data))))
  end)

  it("find layers by name and place", function()
    local x = cusp.Input{4}
    local model = Model{x, layers.Dense{2, name = "head"}(x)}
    assert.equal("head", model:get_layer("head").name)
    assert.equal("head", model:get_layer({index = 2}).name)
    assert.matches("no layer named .*heat.* %(did you mean 'head'%?%)",
      message_of(model.get_layer, model, "heat"))
  end)

  it("come back from their configuration, operations included", function()
    local x = cusp.Input{4}
    local h = layers.Dense{4, activation = "relu"}(x)
    local y = layers.Dense(2)(ops.mean(ops.stack({x + h, h * 2}, 2), 2))
    local model = Model{x, y}
    local text = model:to_json()
    local copy = cusp.models.model_from_json(text)
    assert.equal(text, copy:to_json())
    copy:set_weights(model:get_weights())
    local data = cusp.random.uniform{3, 4}
    assert.is_true(close(model(data), copy(data)))
  end)

  it("are cloned with new weights", function()
    local x = cusp.Input{4}
    local model = Model{x, layers.Dense(3)(x)}
    local copy = cusp.models.clone_model(model)
    assert.equal(#model.weights, #copy.weights)
    assert.is_false(close(model.weights[1].value, copy.weights[1].value))
  end)
end)

describe("Sequential", function()
  it("is built by its input, by input_shape, or at the first call", function()
    assert.equal(2, #cusp.Sequential{cusp.Input{4}, layers.Dense(3)}.weights)
    assert.equal(2, #cusp.Sequential{layers.Dense{3, input_shape = {4}}}.weights)
    local model = cusp.Sequential{layers.Dense(3), layers.Dense{2, name = "last"}}
    assert.is_false(model.built)
    assert.equal(0, #model.weights)
    assert.same({5, 2}, model(cusp.ones{5, 4}).shape)
    assert.equal(4, #model.weights)
    assert.matches("^sequential.*/last/kernel$", model.weights[3].path)
  end)

  it("grows and shrinks", function()
    local model = cusp.Sequential{cusp.Input{4}}
    model:add(layers.Dense(3))
    model:add(layers.Dense(2))
    assert.same({1, 2}, model(cusp.ones{1, 4}).shape)
    assert.equal("Dense", getmetatable(model:pop()).__name)
    assert.same({1, 3}, model(cusp.ones{1, 4}).shape)
    assert.equal(1, #model.layers)
    assert.matches("expected a layer to add", message_of(model.add, model, 3))
  end)

  it("has a name and a list of layers", function()
    local model = cusp.Sequential{{layers.Dense(3), layers.Dense(2)}, name = "stack"}
    assert.equal("stack", model.name)
    assert.equal(2, #model.layers)
  end)

  it("comes back from its configuration", function()
    local model = cusp.Sequential{layers.Dense{3, activation = "relu"}, layers.Dropout(0.1),
      layers.Dense(1)}
    model(cusp.ones{2, 4})
    local copy = cusp.models.model_from_json(model:to_json())
    assert.equal(model:to_json(), copy:to_json())
    copy:set_weights(model:get_weights())
    assert.is_true(close(model(cusp.ones{2, 4}), copy(cusp.ones{2, 4})))
  end)
end)

describe("subclassed models", function()
  local MyModel = Model:extend "SpecModel"
  function MyModel:init(args)
    Model.init(self, {name = "my_model"})
    self.classes = args.classes or 10
    self.hidden = layers.Dense(8)
    self.head = layers.Dense(self.classes)
  end
  function MyModel:call(x) return self.head(self.hidden(x)) end

  it("are built at the first call, or by hand", function()
    local model = MyModel{classes = 3}
    assert.equal(0, #model.weights)
    assert.same({2, 3}, model(cusp.ones{2, 4}).shape)
    assert.equal(4, #model.weights)
    local other = MyModel{}
    other:build{cusp.None, 4}
    assert.equal(4, #other.weights)
  end)

  it("stand in functional ones", function()
    local x = cusp.Input{4}
    local both = layers.average{MyModel{classes = 3}(x), MyModel{classes = 3}(x)}
    assert.equal(3, both.shape[2])
  end)

  it("remember plain arguments in their configuration", function()
    local copy = MyModel:from_config(MyModel{classes = 4}:get_config())
    assert.equal(4, copy.classes)
  end)
end)

describe("summary", function()
  it("of a chain", function()
    local x = cusp.Input{shape = {72}, name = "pixels"}
    local model = Model{x, layers.Dense{10, name = "head"}(layers.Dense{32, name = "hidden"}(x)),
      name = "m"}
    local text = lines_of(model)
    assert.matches('Model: "m"', text, 1, true)
    assert.matches(" hidden %(Dense%) +%(None, 32%) +2,336", text)
    assert.matches("Total params: 2,666 %(10.41 KB%)", text)
    assert.is_nil(text:find "Connected to")
  end)

  it("of a graph, with connections and what is trainable", function()
    local x = cusp.Input{shape = {4}, name = "x"}
    local a = layers.Dense{4, name = "a"}(x)
    local model = Model{x, layers.Add{name = "sum"}{x, a}}
    model:get_layer("a").trainable = false
    local text = lines_of(model, {show_trainable = true})
    assert.matches("Connected to", text)
    assert.matches("x%[0%]%[0%], *", text)
    assert.matches("Non%-trainable params: 20", text)
    assert.matches(" N", text)
  end)

  it("of what is not built, and of nested models", function()
    assert.matches("unbuilt", lines_of(cusp.Sequential{layers.Dense(3)}))
    local inner = cusp.Sequential{cusp.Input{4}, layers.Dense{3, name = "inside"}}
    local x = cusp.Input{4}
    assert.matches("inside", lines_of(Model{x, inner(x)}, {expand_nested = true}))
  end)
end)
