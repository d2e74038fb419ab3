local cusp = require "cusp"
local utils = cusp.utils

describe("utils", function()
  it("makes vectors of class ids", function()
    assert.same({{1, 0, 0}, {0, 0, 1}}, utils.to_categorical({0, 2}, 3):tolist())
    assert.same({{1, 0}, {0, 1}}, utils.to_categorical{{0}, {1}}:tolist())
    assert.has_error(function() utils.to_categorical({0, 3}, 3) end)
    assert.same({{0, 0, 1}, {1, 0, 0}, {1, 0, 0}}, utils.to_categorical({-1, 0, -3}, 3):tolist())
    assert.same({{0, 1}, {1, 0}, {0, 1}}, utils.to_categorical({-1, 0, 1}):tolist())
    assert.has_error(function() utils.to_categorical({-4}, 3) end)
    assert.same({0, 3}, utils.to_categorical({}, 3).shape)
    assert.same({0, 3}, utils.to_categorical(cusp.zeros{0, 1}, 3).shape)
    local ok, message = pcall(utils.to_categorical, {})
    assert.truthy(not ok and message:find("give num_classes", 1, true))
  end)

  it("fills up sequences", function()
    assert.same({{1, 2, 3}, {0, 0, 4}, {6, 7, 8}},
      utils.pad_sequences({{1, 2, 3}, {4}, {5, 6, 7, 8}}, {maxlen = 3}):tolist())
    assert.same({{1, 2}, {3, 9}},
      utils.pad_sequences{{1, 2}, {3}, padding = "post", value = 9}:tolist())
    local three = {{0, 0, 1}, {0, 2, 3}, {5, 6, 7}}
    local given = {{1}, {2, 3}, {4, 5, 6, 7}}
    assert.same(three, utils.pad_sequences{given, maxlen = 3}:tolist())
    assert.same(three, utils.pad_sequences({sequences = given, maxlen = 3}):tolist())
    assert.same({3, 4}, utils.pad_sequences(given, {}).shape)
    assert.same({3, 4}, utils.pad_sequences{given}.shape)
    assert.same({{1, 2}, {0, 3}},
      utils.pad_sequences{cusp.tensor{1, 2}, cusp.tensor{3}}:tolist())
  end)

  it("pads sequences of vectors", function()
    local vectors = {{{1, 2}, {3, 4}}, {{5, 6}}, {}}
    assert.same({{{1, 2}, {3, 4}}, {{-1, -1}, {5, 6}}, {{-1, -1}, {-1, -1}}},
      utils.pad_sequences(vectors, {value = -1}):tolist())
    assert.same({{{1, 2}}, {{5, 6}}, {{0, 0}}},
      utils.pad_sequences{vectors, maxlen = 1, truncating = "post"}:tolist())
    for _, case in ipairs{
      {{{1, 2}, {{3}}}, "entry 1 of sequence 2 should be a number"},
      {{{{1, 2}}, {{3}}}, "entry 1 of sequence 2 should have the shape [2], as the first, got [1]"},
      {{{1, "a"}}, "entry 2 of sequence 1 should be a number"},
      {{1, 2}, "sequence 1 should be a list of numbers"},
    } do
      local ok, message = pcall(utils.pad_sequences, case[1])
      assert.truthy(not ok and message:find(case[2], 1, true), message)
    end
  end)

  it("splits datasets", function()
    local left, right = utils.split_dataset(cusp.arange(10), 0.3)
    assert.same({3, 7}, {#left, #right})
    local both = utils.split_dataset({cusp.arange(10), cusp.arange(10)},
      {left_size = 4, shuffle = true, seed = 1})
    assert.same(both[1]:flat(), both[2]:flat())
  end)

  it("normalises and leaves zeros", function()
    local rows = utils.normalize(cusp.tensor{{3.0, 4.0}, {0.0, 0.0}}):tolist()
    assert.is_true(math.abs(rows[1][1] - 0.6) < 1e-6)
    assert.same({0, 0}, rows[2])
  end)
end)

describe("config", function()
  it("sets the default float dtype and epsilon", function()
    cusp.config.set_floatx "float64"
    assert.equal("float64", cusp.tensor(1.5).dtype)
    cusp.config.set_floatx "float32"
    assert.has_error(function() cusp.config.set_floatx "int32" end)
    assert.equal(1e-7, cusp.config.epsilon())
  end)
end)
