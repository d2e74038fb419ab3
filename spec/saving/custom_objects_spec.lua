local configuration = require "cusp.saving.configuration"
local cusp = require "cusp"
local warnings = require "cusp.base.warnings"

local layers, models, utils = cusp.layers, cusp.models, cusp.utils

local function fails(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, message)
end

local Scale = layers.Layer:extend("SpecScale", {call = function(self, inputs)
  return inputs * self.factor
end})
function Scale:init(args)
  layers.Layer.init(self, args)
  self.factor = args.factor or args[1]
end

local function stack(...)
  return cusp.Sequential{cusp.Input{shape = {3}}, ...}
end

describe("custom objects:", function()
  it("arguments of init are remembered, by name and by position, in both forms", function()
    local model = stack(Scale(3), Scale{factor = 4, name = "named"})
    for _, format in ipairs{"tf2", "keras3"} do
      local text = model:to_json{format = format}
      local again = models.model_from_json(text)
      assert.equal(3, again.layers[1].factor)
      assert.equal(4, again.layers[2].factor)
      assert.equal(text, again:to_json{format = format})
    end
    assert.equal(3, models.clone_model(model).layers[1].factor)
  end)

  it("an argument that cannot be written down is named, with what to write", function()
    local Map = layers.Layer:extend("SpecMap", {call = function(self, inputs)
      return self.f(inputs)
    end})
    function Map:init(args)
      layers.Layer.init(self, args)
      self.f = args.f or args[1]
    end
    local model = stack(Map{f = cusp.ops.relu, name = "map"})
    fails("layer SpecMap 'map' cannot be written down: it was made with the argument 'f' %(a "
      .. "function%)", model.to_json, model)
    fails("function SpecMap:get_config%(%)", model.to_json, model)
    model = stack(Map(cusp.ops.relu))
    fails("the argument number 1", model.to_json, model)
    function Map:get_config()
      local config = layers.Layer.get_config(self)
      config.f = "relu"
      return config
    end
    function Map.from_config(class, config)
      return class{f = cusp.ops[config.f], name = config.name}
    end
    assert.equal(model:to_json(), models.model_from_json(model:to_json()):to_json())
  end)

  it("user-defined models come from get_config, or from plain arguments", function()
    local Net = cusp.Model:extend("SpecNet", {call = function(self, inputs)
      return self.dense(inputs)
    end})
    function Net:init(args)
      cusp.Model.init(self, args)
      self.dense, self.helper = layers.Dense(args.units or 1), args.helper
    end
    local net = Net{units = 5}
    net:build{cusp.None, 3}
    local again = models.model_from_json(net:to_json{format = "keras3"})
    assert.is_true(again.built)
    assert.equal(5, again.dense.units)
    assert.equal(5, models.model_from_json(net:to_json()).dense.units)
    assert.equal(5, models.clone_model(net).dense.units)
    local wrong = Net{units = 2, helper = print}
    fails("model SpecNet '[%w_]+' cannot be written down: it was made with the argument 'helper'",
      wrong.to_json, wrong)
  end)

  it("are found among custom_objects, in a scope, and by registration with a package", function()
    local text = stack(Scale(2)):to_json():gsub("SpecScale", "Elsewhere")
    fails("layers%[1%] %(Elsewhere '[%w_]+'%): there is no class named "
      .. "'Elsewhere'.*custom_objects = {Elsewhere = Elsewhere}",
      models.model_from_json, text)
    assert.equal(2, models.model_from_json(text, {Elsewhere = Scale}).layers[1].factor)
    assert.equal(2, models.model_from_json(text,
      {custom_objects = {Elsewhere = Scale}}).layers[1].factor)
    assert.equal(2, models.model_from_json({text,
      custom_objects = {Elsewhere = Scale}}).layers[1].factor)
    do
      local scope <close> = utils.custom_object_scope{Elsewhere = Scale} -- luacheck: ignore
      assert.equal(2, models.model_from_json(text).layers[1].factor)
    end
    fails("there is no class", models.model_from_json, text)

    local Registered =
      utils.register_keras_serializable{package = "spec"}(layers.Layer:extend("SpecRegistered", {
      call = function(_, inputs) return inputs end,
    }))
    assert.equal("spec>SpecRegistered", utils.get_registered_name(Registered))
    local double = utils.register_keras_serializable{package = "spec", name = "double"}(function(x)
      return x * 2
    end)
    local model = stack(Registered{}, layers.Dense{2, activation = double})
    local config = configuration.of_model(model)
    assert.equal("spec>SpecRegistered", config.config.layers[1].class_name)
    assert.equal("spec>double", config.config.layers[2].config.activation)
    assert.equal("spec>SpecRegistered",
      configuration.of_model(model, {format = "keras3"}).config.layers[2].registered_name)
    for _, format in ipairs{"tf2", "keras3"} do
      local text_of = model:to_json{format = format}
      local again = models.model_from_json(text_of)
      assert.equal(double, again.layers[2].activation)
      assert.equal(text_of, again:to_json{format = format})
    end
  end)

  it("functions that nobody knows are named", function()
    local text = stack(layers.Dense{2, name = "d"}):to_json():gsub('"linear"', '"unheard_of"')
    fails("layers%[1%] %(Dense 'd'%), config.activation: there is no activation named 'unheard_of'",
      models.model_from_json, text)
    assert.is_truthy(models.model_from_json(text, {unheard_of = function(x) return x end}))
  end)

  it("a loss without a name is not saved, with a warning", function()
    local model = stack(layers.Dense(1))
    model:compile{loss = function(y_true, y_pred)
      return cusp.ops.mean((y_true - y_pred) ^ 2, {axis = -1})
    end}
    local lines, config = warnings.collect(configuration.of_compile, model)
    assert.is_nil(config)
    assert.matches(
      "what it was compiled with is not saved, since loss is a function without a name", lines[1])
    assert.is_nil(rawget(models.model_from_json(model:to_json{format = "keras3"}), "compiled"))

    local named = utils.register_keras_serializable{package = "spec",
      name = "my_loss"}(function(y_true, y_pred)
      return cusp.ops.mean(cusp.ops.abs(y_true - y_pred), {axis = -1})
    end)
    model:compile{loss = named, metrics = {named, "mae"}}
    local again = models.model_from_json(model:to_json{format = "keras3"})
    assert.is_true(again.compiled)
    assert.equal(named, again.loss)
    local fresh = stack(layers.Dense(1))
    configuration.compile(fresh, configuration.of_compile(model))
    assert.equal(named, cusp.losses.get(fresh.loss))
  end)

  it("what compile cannot find leaves the model uncompiled, with a warning", function()
    local model = stack(layers.Dense(1))
    model:compile{loss = "mse"}
    local text = model:to_json({format = "keras3"}):gsub('"mse"', '"my_unknown_loss"')
    local lines, again = warnings.collect(models.model_from_json, text)
    assert.matches("is not compiled: .*my_unknown_loss", lines[1])
    assert.is_nil(rawget(again, "compiled"))
  end)
end)

describe("two classes of one name", function()
  local path = os.tmpname() .. ".keras"
  after_each(function() os.remove(path) end)

  local function factory(factor)
    return cusp.layers.Layer:extend("SpecFactory", {call = function(_, x) return x * factor end})
  end

  local function model_of(...)
    local model = cusp.Sequential{cusp.Input{shape = {1}}}
    for _, class in ipairs{...} do model:add(class()) end
    return model
  end

  it("do not go into one file", function()
    local ten, many = factory(10), factory(25)
    local ok, message = pcall(cusp.Model.save, model_of(ten, many), path)
    assert.is_false(ok)
    assert.matches("two classes or functions named 'SpecFactory'", message)
    assert.is_nil(io.open(path))
  end)

  it("are warned of where the older one is saved, and not where the newer one is", function()
    local ten, many = factory(10), factory(25)
    local lines = warnings.collect(cusp.Model.save, model_of(ten), path)
    assert.matches("'SpecFactory' is written by that name, which by now means a class made later",
      lines[1])
    local again = cusp.models.load_model(path, {custom_objects = {SpecFactory = ten}})
    assert.equal(10, again(cusp.ones{1, 1}):item())
    assert.equal(25, cusp.models.load_model(path)(cusp.ones{1, 1}):item())
    assert.are.same({}, (warnings.collect(cusp.Model.save, model_of(many), path)))
  end)

  it("are kept apart by copies", function()
    local ten = factory(10)
    local model = model_of(ten)
    factory(25)
    assert.equal(10, cusp.models.clone_model(model)(cusp.ones{1, 1}):item())
  end)

  it("functions registered twice are warned of, too", function()
    local registry = require "cusp.base.registry"
    local first = registry.register("spec_twice", function(x) return x * 2 end)
    local model = cusp.Sequential{cusp.Input{shape = {1}}, cusp.layers.Activation(first)}
    assert.are.same({}, (warnings.collect(model.save, model, path)))
    registry.register("spec_twice", function(x) return x * 3 end)
    assert.matches("'spec_twice' is written by that name, which by now means a function",
      warnings.collect(model.save, model, path)[1])
  end)

  it("a library class loaded later does not hide the program's", function()
    local Mine = cusp.layers.Layer:extend("GaussianNoise", {call = function(_, x) return x * 3 end})
    local model = model_of(Mine)
    assert.is_table(cusp.layers.GaussianNoise)
    model:save(path)
    assert.equal(3, cusp.models.load_model(path)(cusp.ones{1, 1}):item())
    require("cusp.base.class").classes.GaussianNoise = cusp.layers.GaussianNoise
  end)
end)
