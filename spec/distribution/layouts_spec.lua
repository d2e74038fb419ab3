-- Meshes, layouts and maps of layouts, in the one process of a program without mpirun.
local cusp = require "cusp"
local pattern = require "cusp.distribution.pattern"
local distribution, layers = cusp.distribution, cusp.layers
local DeviceMesh, LayoutMap = distribution.DeviceMesh, distribution.LayoutMap
local TensorLayout = distribution.TensorLayout
local None = cusp.None

local function fails(message, f, ...)
  local ok, got = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(message, got, 1, true)
end

local function mesh() return DeviceMesh{{1, 1}, {"batch", "model"}} end

-- A map with layouts whose first axis has the key's number as a name.
local function numbered(...)
  local map = LayoutMap()
  for i, key in ipairs{...} do map[key] = {"axis " .. i} end
  return map
end

local function number_of(layout) return layout and tonumber(layout.axes[1]:match "%d+") end

describe("regular expressions of keys", function()
  -- What Python's re.fullmatch takes of `paths`.
  local paths = {"sequential/dense_1/kernel", "dense/kernel", "d1/kernel", "abcad",
    "dense_12/kernel", "dense_123/kernel", "dense_3/bias", "aaab", "x", "aa", "aaa", "aaaaab",
    "denseXkernel", "dense.kernel", "a/b/kernel", "", "]a", "a-", "abab", "ababab", "x\ny", "x/y",
    "a{x}", "mha/query/kernel", "abcd", "[x]"}
  local cases = {
    {".*dense.*kernel", {1, 2, 5, 6, 13, 14}}, {"dense.*kernel", {2, 5, 6, 13, 14}},
    {"d1/kernel", {3}}, {"(a|bc)+d?", {4, 10, 11, 25}}, {"[a-z_]+_\\d{1,2}/kernel", {5}},
    {"dense(_[0-9]+)?/(?:kernel|bias)", {2, 5, 6, 7}}, {"a*?b", {8, 12}}, {"^x$", {9}},
    {"a{2}", {10}}, {"a{,2}", {10, 16}}, {"a{2,}", {10, 11}}, {"(a*)*b", {8, 12}},
    {"dense\\.kernel", {14}}, {"[^/]*/kernel", {2, 3, 5, 6}}, {"a|b|", {16}},
    {"[]a]+", {10, 11, 17}}, {"[a-]+", {10, 11, 18}},
    {"\\w+/\\S+", {1, 2, 3, 5, 6, 7, 15, 22, 24}}, {"(ab){2,3}?", {19, 20}}, {"x.y", {22}},
    {"a{x}", {23}}, {".*(query|key|value).*kernel", {24}}, {"((a|ab)(c|bcd))(d*)", {25}},
    {"\\[x\\]", {26}},
    {"[^\\d]+", {2, 4, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26}},
  }

  it("match what Python's match", function()
    for _, case in ipairs(cases) do
      local matches, found = pattern.compile(case[1]), {}
      for i, path in ipairs(paths) do
        if matches(path) then found[#found + 1] = i end
      end
      assert.are.same(case[2], found, case[1])
    end
  end)

  it("are refused where they are not understood", function()
    for key, reason in pairs{
      ["("] = "a '(' is not closed", ["a)"] = "a ')' is too many", ["["] = "a '[' is not closed",
      ["*a"] = "nothing to repeat before '*'", ["a**"] = "a repetition of a repetition",
      ["{2}"] = "nothing to repeat before '{'", ["(?=x)"] = "a group of another kind",
      ["\\1"] = "there is '\\1'", ["a\\"] = "there is '\\'", ["[z-a]"] = "a range without end",
    } do
      fails(reason, function() LayoutMap()[key] = {"a"} end)
    end
  end)
end)

describe("TensorLayout", function()
  it("takes axes as a list, with nil or None for what is whole", function()
    for _, layout in ipairs{TensorLayout{nil, "model"}, TensorLayout({nil, "model"}),
      TensorLayout{axes = {None, "model"}}, TensorLayout({cusp.null, "model"}, mesh())} do
      assert.are.same({None, "model"}, layout.axes)
      assert.equal('{nil, "model"}', tostring(layout))
    end
    assert.are.same({}, TensorLayout({}, mesh()).axes)
  end)

  it("checks its axes, and gets a mesh once", function()
    fails('there is no axis "mdel" in the mesh, whose axes are batch, model', TensorLayout,
      {"mdel"}, mesh())
    fails("axis 2 should be the name", TensorLayout, {"a", 2})
    fails('"a" stands for two axes', TensorLayout, {"a", "a"})
    fails("device_mesh should be a DeviceMesh", TensorLayout, {"a"}, 3)
    local layout = TensorLayout{"model"}
    assert.is_nil(layout.device_mesh)
    layout.device_mesh = mesh()
    fails("cannot be set again", function() layout.device_mesh = mesh() end)
  end)
end)

describe("LayoutMap", function()
  it("finds layouts by path, whole expression, or the end of the path", function()
    local map = numbered("dense/kernel", ".*dense.*bias", "d1/(kernel|bias)", "[a-z]+/gamma")
    assert.equal(1, number_of(map["dense/kernel"]))
    assert.equal(1, number_of(map["sequential/dense/kernel"]))
    assert.equal(2, number_of(map["model/dense_7/bias"]))
    assert.equal(3, number_of(map:get "sequential/d1/bias"))
    assert.equal(4, number_of(map["a/b/gamma"]))
    assert.is_nil(map["dense/kernel_1"])
    assert.is_nil(map["second1/kernel"])
    assert.is_nil(map:get "conv/kernel")
  end)

  it("prefers an equal key, and refuses several others", function()
    local map = numbered(".*kernel", "d/kernel", "d.*")
    assert.equal(2, number_of(map["d/kernel"]))
    fails("the path 'dd/kernel' matches several keys: .*kernel, d.*;", function()
      return map["dd/kernel"]
    end)
  end)

  it("has keys in their order, which can be removed", function()
    local map, keys = numbered("b", "a", "c"), {}
    fails('the key "a" has the layout {"axis 2"} already', function() map.a = {"model"} end)
    map.a = nil
    fails('there is no key "a"', function() map.a = nil end)
    for key, layout in pairs(map) do keys[#keys + 1] = key .. number_of(layout) end
    assert.are.same({"b1", "c3"}, keys)
    assert.equal(2, #map)
  end)

  it("gives its mesh to layouts, and checks them", function()
    local map, its = LayoutMap(mesh()), TensorLayout({"batch"}, mesh())
    map.a, map.b = {"model"}, its
    assert.equal(map.device_mesh, map.a.device_mesh)
    assert.not_equal(map.device_mesh, map.b.device_mesh)
    fails('there is no axis "other"', function() map.c = {"other"} end)
    fails("axes should be a list", function() map.c = "model" end)
    fails("a key is the path", function() map[1] = {"model"} end)
    fails("device_mesh should be a DeviceMesh", LayoutMap, "mesh")
    assert.equal(2, #map)
  end)
end)

describe("DeviceMesh", function()
  it("checks its shape and names", function()
    fails("has room for 2 devices, but there are 1", DeviceMesh, {1, 2}, {"batch", "model"})
    fails("has 2 axes, but there are 1", DeviceMesh, {1, 1}, {"batch"})
    fails("should be different names", DeviceMesh, {1, 1}, {"a", "a"})
    assert.equal('DeviceMesh{{1, 1}, {"batch", "model"}}', tostring(mesh()))
  end)
end)

describe("in one process", function()
  local map

  before_each(function()
    map = LayoutMap(mesh())
    map[".*kernel"], map[".*bias"] = {nil, "model"}, {"model"}
  end)

  after_each(function() distribution.set_distribution(nil) end)

  it("ModelParallel is rank 0 of 1: variables are whole", function()
    local parallel = distribution.ModelParallel{layout_map = map}
    distribution.set_distribution(parallel)
    assert.equal(parallel, distribution.distribution())
    assert.are.same({1, 1, 0, "batch"}, {parallel.num_model_replicas, parallel.num_processes,
      parallel.data_shard_id, parallel.batch_dim_name})
    local model = cusp.Sequential{cusp.Input{shape = {3}}, layers.Dense(4)}
    assert.are.same({3, 4}, model.layers[1].kernel.shape)
    model:compile{loss = "mse"}
    model:fit{cusp.ones{4, 3}, cusp.ones{4, 4}, verbose = 0}
    assert.equal(16, model:count_params())
  end)

  it("layouts of data, variables and tensors are told", function()
    local parallel = distribution.ModelParallel{layout_map = map, batch_dim_name = "model"}
    local data = distribution.DataParallel()
    local dense = layers.Dense(4)
    dense:build{None, 3}
    assert.are.same({"model", None, None}, parallel:get_data_layout{8, 2, 3}.axes)
    assert.are.same({"batch", None}, data:get_data_layout{8, 2}.axes)
    assert.are.same({None, "model"}, parallel:get_variable_layout(dense.kernel).axes)
    assert.are.same({None, None}, data:get_variable_layout(dense.kernel).axes)
    assert.are.same({"model"}, parallel:get_tensor_layout("x/bias").axes)
    assert.is_nil(parallel:get_tensor_layout "x/output")
    assert.is_nil(data:get_tensor_layout "x/bias")
    local own = cusp.Variable(cusp.ones{2}, {layout = TensorLayout{"batch"}})
    assert.are.same({"batch"}, parallel:get_variable_layout(own).axes)
    fails("layout should be a TensorLayout", cusp.Variable, cusp.ones{2}, {layout = {"batch"}})
  end)

  it("a scope has a distribution while it is open", function()
    local parallel = distribution.ModelParallel{layout_map = map}
    do
      local scope <close> = parallel:scope()
      assert.is_not_nil(scope)
      assert.equal(parallel, distribution.distribution())
    end
    assert.is_nil(distribution.distribution())
    assert.equal(3, parallel:scope(function(a, b)
      assert.equal(parallel, distribution.distribution())
      return a + b
    end, 1, 2))
    fails("oh", parallel.scope, parallel, error, "oh")
    assert.is_nil(distribution.distribution())
  end)

  it("distribute_tensor leaves the whole", function()
    local x = cusp.tensor{{1, 2}, {3, 4}}
    local layout = TensorLayout({nil, "model"}, mesh())
    assert.are.same({{1, 2}, {3, 4}}, distribution.distribute_tensor(x, layout):tolist())
    assert.are.same({1, 2}, distribution.distribute_tensor({1, 2}, TensorLayout({"model"},
      mesh())):tolist())
    fails("the layout has no device_mesh", distribution.distribute_tensor, x, TensorLayout{"a"})
    fails("names more axes than the tensor", distribution.distribute_tensor, {1}, layout)
    fails("layout should be a TensorLayout", distribution.distribute_tensor, x, {"model"})
    local input = cusp.Input{shape = {2}}
    assert.equal(input, distribution.distribute_tensor(input, layout))
  end)

  it("distribute_dataset gives the dataset", function()
    local set = cusp.data.Dataset.from_tensor_slices(cusp.ones{4, 2}):batch(2)
    assert.equal(set, distribution.DataParallel():distribute_dataset(set))
  end)

  it("wrong distributions are named", function()
    fails("argument 'layout_map' is missing", distribution.ModelParallel, {})
    fails("layout_map should be a LayoutMap with a device_mesh", distribution.ModelParallel,
      {layout_map = LayoutMap()})
    fails("batch_dim_name should be an axis of the mesh (batch, model), got \"rows\"",
      distribution.ModelParallel, {layout_map = map, batch_dim_name = "rows"})
    fails("expected a DataParallel or a ModelParallel", distribution.set_distribution,
      distribution.Distribution())
    fails("num_model_replicas is for", function()
      return distribution.Distribution().num_model_replicas
    end)
  end)
end)
