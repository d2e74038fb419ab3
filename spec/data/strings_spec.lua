-- Datasets of tensors of strings.
local cusp = require "cusp"

local Dataset = cusp.data.Dataset

local function all(dataset)
  local list = {}
  for x in dataset:iterate() do list[#list + 1] = type(x) == "userdata" and x:tolist() or x end
  return list
end

describe("datasets of tensors of strings", function()
  local words = Dataset.from_tensor_slices(cusp.tensor{"a", "b", "a", "c\0d"})

  it("know their dtype, and put rows into batches", function()
    assert.equal("string", words.element_spec.dtype)
    assert.same({{"a", "b", "a"}, {"c\0d"}}, all(words:batch(3)))
    assert.same({"a", "b", "a", "c\0d"}, all(words:batch(2):unbatch()))
    assert.same({{"a", "b"}, {"a", "c\0d"}, {"a", "b"}, {"a", "c\0d"}},
      all(words:batch(2):repeat_(2):prefetch(2)))
  end)

  it("are shuffled, cached, joined and filtered", function()
    local shuffled = all(words:shuffle(4):cache())
    table.sort(shuffled)
    assert.same({"a", "a", "b", "c\0d"}, shuffled)
    assert.equal(8, #all(words:concatenate(words)))
    assert.same({"a", "a"}, all(words:filter(function(x) return x:item() == "a" end)))
    assert.same({"a", "b", "c\0d"}, all(words:unique()))
    assert.same({1, 2, 1, 0}, all(words:map(cusp.layers.StringLookup{vocabulary = {"a", "b"}})))
  end)

  it("are filled up with empty strings, or another", function()
    local lists = {cusp.tensor{"a"}, cusp.tensor{"b", "c"}}
    local function source()
      local n = 0
      return function()
        n = n + 1
        return lists[n]
      end
    end
    local ragged = Dataset.from_generator(source)
    assert.same({{{"a", ""}, {"b", "c"}}}, all(ragged:padded_batch(2)))
    assert.same({{{"a", "-"}, {"b", "c"}}},
      all(ragged:padded_batch(2, {padding_values = "-"})))
  end)

  it("are not written to files as if they were numbers", function()
    local path = os.tmpname()
    os.remove(path)
    local ok, message = pcall(words.save, words, path)
    assert.is_false(ok)
    assert.matches("strings", message)
    os.execute(("rm -rf '%s'"):format(path))
  end)
end)
