local cusp = require "cusp"
local skipgrams = cusp.utils.skipgrams

local function fails(text, ...)
  local ok, message = pcall(skipgrams, ...)
  assert.truthy(not ok and message:find(text, 1, true), message)
end

describe("skipgrams", function()
  it("pairs the words of a window, in Keras's order for a seed", function()
    local sentence = {1, 2, 0, 3, 4}
    assert.same({{1, 2}, {2, 1}, {3, 4}, {4, 3}},
      (skipgrams(sentence, 5, {window_size = 1, negative_samples = 0, shuffle = false})))
    assert.same({{4, 3}, {2, 1}, {1, 2}, {3, 4}},
      (skipgrams(sentence, 5, {window_size = 1, negative_samples = 0, seed = 7})))
    local couples, labels = skipgrams(cusp.tensor{1, 2, 3}, 5,
      {window_size = 2, negative_samples = 0, seed = 12345678901, categorical = true})
    assert.same({{3, 2}, {1, 2}, {1, 3}, {2, 3}, {2, 1}, {3, 1}}, couples)
    assert.same({0, 1}, labels[6])
  end)

  it("adds pairs by chance", function()
    local couples, labels = skipgrams({1, 2, 3, 4}, 9, {negative_samples = 1.5})
    assert.same({30, 30}, {#couples, #labels})
    local positives = 0
    for i, couple in ipairs(couples) do
      assert.is_true(couple[1] >= 1 and couple[1] <= 4 and couple[2] >= 1 and couple[2] < 9)
      if labels[i] == 1 then
        assert.is_true(couple[2] <= 4 and couple[1] ~= couple[2])
        positives = positives + 1
      end
    end
    assert.equal(12, positives)
    assert.same({{}, {}}, {skipgrams({}, 5)})
    assert.same({}, (skipgrams({1, 2}, 3, {sampling_table = {0, -1, -1}})))
    cusp.random.set_seed(4)
    local once = skipgrams({1, 2, 3}, 9)
    cusp.random.set_seed(4)
    assert.same(once, (skipgrams({1, 2, 3}, 9)))
  end)

  it("says what is wrong", function()
    fails("word 2 of the sequence should be an integer from 0 to 2, got number 3", {1, 3}, 3)
    fails("sequence should be a list of numbers", "ab", 3)
    fails("sampling_table has no number for word 2", {2}, 3, {sampling_table = {1}})
  end)
end)
