-- Tensors of strings: what they hold, what is done with them and what is refused, and their memory.
local cusp = require "cusp"
local raises = require "spec.support.raises"
local engine = require "cusp.engine"

local ops, layers = cusp.ops, cusp.layers

local odd = {"", "a\0b", "\xff\xfe", ("x"):rep(5000), "moon", "\u{1F319}", "a"}

describe("tensors of strings", function()
  it("are made of tables and single strings, with any bytes", function()
    local t = cusp.tensor(odd)
    assert.equal("string", t.dtype)
    assert.same({7}, {table.unpack(t.shape)})
    assert.same(odd, t:tolist())
    assert.same(odd, cusp.tensor(odd, {dtype = "string"}):flat())
    assert.equal("hello", cusp.tensor("hello"):item())
    assert.same({}, {table.unpack(cusp.tensor("hello").shape)})
    assert.same({{"a"}, {"b"}}, cusp.tensor({"a", "b"}, {shape = {2, 1}}):tolist())
    assert.same({0}, {table.unpack(cusp.tensor({}, {dtype = "string"}).shape)})
    assert.same({"", ""}, ops.zeros({2}, "string"):tolist())
    assert.equal("b", cusp.tensor{{"a", "b"}}:item(1, -1))
  end)

  it("are shown in quotes, long ones cut", function()
    assert.equal('tensor([["a"],\n        ["\\x00\\n\\"\\\\"]], shape = {2, 1}, dtype = string)',
      tostring(cusp.tensor{{"a"}, {"\0\n\"\\"}}))
    assert.equal('tensor(["\\xff", "\u{e9}"], shape = {2}, dtype = string)',
      tostring(cusp.tensor{"\xff", "\u{e9}"}))
    assert.equal('tensor("' .. ("x"):rep(60) .. '...", dtype = string)',
      tostring(cusp.tensor(("x"):rep(1000))))
  end)

  it("are moved, joined, taken apart and compared", function()
    local t = cusp.tensor{{"a", "b"}, {"c", "d"}, {"e", "f"}}
    assert.same({"a", "b"}, t[1]:tolist())
    assert.same({{"d"}, {"f"}}, t:slice{{2, 3}, {2, 2}}:tolist())
    assert.same({{"e", "f"}, {"a", "b"}}, ops.take(t, cusp.tensor{2, 0}, 1):tolist())
    assert.same({"a", "c", "e", "b", "d", "f"}, ops.reshape(ops.transpose(t), {-1}):tolist())
    assert.same({{"a", "b", "a"}, {"c", "d", "c"}, {"e", "f", "e"}},
      ops.concatenate({t, t:slice{{}, {1, 1}}}, 2):tolist())
    assert.same({2, 3, 2}, {table.unpack(ops.stack{t, t}.shape)})
    assert.same({{false, true}, {false, false}, {false, false}}, ops.equal(t, "b"):tolist())
    assert.same({{true, false}, {true, true}, {true, true}}, ops.not_equal(t, "b"):tolist())
    assert.same({{"a", "?"}, {"c", "d"}, {"e", "f"}},
      ops.where(ops.equal(t, "b"), "?", t):tolist())
    assert.same({{"e", "f"}, {"c", "d"}, {"a", "b"}}, ops.flip(t, 1):tolist())
    assert.same({"a", "a", "b", "b"}, ops["repeat"](t[1], 2):tolist())
    assert.same({{"a", "b"}, {"e", "f"}}, t[cusp.tensor{true, false, true}]:tolist())
    assert.equal(2, #ops.split(ops.transpose(t), 2))
    assert.is_true(ops.cast(t, "string"):tolist()[1][1] == "a")
    assert.same({{"", "", "a"}},
      ops.concatenate({ops.zeros({1, 2}, "string"), cusp.tensor{{"a"}}}, 2):tolist())
  end)

  it("are gathered in compiled functions and by random orders", function()
    local rows = {}
    for i = 1, 3000 do rows[i] = {("row %d"):format(i), ("and %d"):format(i % 7)} end
    local t, order = cusp.tensor(rows), {}
    for i = 1, 3000 do order[i] = (i * 7) % 3000 end
    local pick = cusp.compile(function(x, places) return ops.transpose(ops.take(x, places, 1)) end)
    local got = pick(t, cusp.tensor(order)):tolist()
    for i = 1, 3000 do
      assert.equal(rows[order[i] + 1][1], got[1][i])
      assert.equal(rows[order[i] + 1][2], got[2][i])
    end
  end)

  it("have no arithmetic", function()
    local t = cusp.tensor{{"a", "b"}, {"c", "d"}}
    for _, name in ipairs{"sum", "mean", "max", "exp", "abs", "round", "sort", "argmax", "cumsum",
      "relu", "softmax", "square", "isnan", "var", "prod", "any", "floor", "sign", "tril"} do
      raises(function() return ops[name](t) end, "expected numbers, got a tensor of strings")
    end
    raises(function() return t + 1 end, "add: expected numbers")
    raises(function() return t .. 1 < 2 end)
    raises(function() return t * t end, "multiply: expected numbers")
    raises(function() return -t end, "negative: expected numbers")
    raises(function() return ops.matmul(t, t) end, "matmul: expected numbers")
    raises(function() return ops.less(t, t) end, "less: expected numbers")
    raises(function() return cusp.tensor"a" < cusp.tensor"b" end, "expected a tensor of numbers")
    raises(function() return ops.concatenate{t, cusp.tensor{{1, 2}}} end,
      "all tensors of numbers or all of strings")
    raises(function() return ops.where(ops.equal(t, "a"), t, 0) end, "got both")
    raises(function() return ops.equal(t, 1) end, "got both")
    raises(function() return ops.cast(t, "float32") end, "string is not converted to float32")
    raises(function() return ops.cast(cusp.tensor{1}, "string") end,
      "int32 is not converted to string")
    raises(function() return ops.ones({2}, "string") end, "expected a dtype of numbers")
    raises(function() return ops.view(t, "int32") end, "expected numbers")
    raises(function() return ops.view(cusp.tensor{1}, "string") end, "dtype of numbers")
    raises(function() return ops.take(t, cusp.tensor{"a"}, 1) end, "string")
    raises(function() cusp.Variable(t) end, "a variable holds numbers")
    raises(function() t:tobytes() end, "expected a tensor of numbers, got one of strings")
    raises(function() cusp.numpy.save("strings.npy", t) end, "string")
    assert.is_nil(io.open "strings.npy")
    raises(function() cusp.random.uniform({2}, 0, 1, "string") end)
    local x = cusp.Input{shape = {1}, dtype = "string"}
    raises(function() return x + 1 end, "add: expected numbers")
    raises(function() return layers.Dense(1)(x) end, "expected numbers, got a tensor of strings")
    raises(function() return cusp.compile(function(a) return a * 2 end)(t) end,
      "multiply: expected numbers")
  end)

  it("refuse mixed tables, saying where", function()
    raises(function() cusp.tensor{"a", 1} end, "expected a string at position {2}, got 1")
    raises(function() cusp.tensor{1, "a"} end, "position {2}", 'the string "a"')
    raises(function() cusp.tensor({"a"}, {dtype = "float32"}) end, "expected a number")
    raises(function() cusp.tensor({1}, {dtype = "string"}) end, "expected a string at position {1}")
    raises(function() cusp.tensor(1, {dtype = "string"}) end, "expected a string, got 1")
    raises(function() cusp.tensor{{"a"}, {"b", "c"}} end, "ragged")
  end)

  it("give their strings back", function()
    collectgarbage()
    collectgarbage()
    engine.memory_trim()
    local kept = cusp.tensor{"kept one", "kept two"}
    local before = engine.memory()
    for i = 1, 20000 do cusp.tensor{("a string of number %d"):format(i)} end
    collectgarbage()
    collectgarbage()
    engine.memory_trim()
    assert.equal(before.strings, engine.memory().strings)
    assert.equal(before.string_bytes, engine.memory().string_bytes)
    assert.same({"kept one", "kept two"}, kept:tolist())
  end)

  it("take bounded memory in a loop without end", function()
    local long = ("moon "):rep(200)
    for i = 1, 60000 do cusp.tensor(long .. i) end
    assert.is_true(engine.memory().string_bytes < 60e6)
  end)

  it("become integers by the rows that layers are made of", function()
    local x = cusp.tensor{"b", "", "zz", "a"}
    local slots, indices = engine.ops.lookup_table(cusp.tensor{"a", "b", "c"})
    assert.same({8}, {table.unpack(slots.shape)})
    assert.same({11, -1, 5, 10}, engine.ops.lookup(x, slots, indices, 10, 5, -1):tolist())
    local many = {}
    for i = 1, 5000 do many[i] = "token " .. i end
    slots, indices = engine.ops.lookup_table(cusp.tensor(many))
    local found = engine.ops.lookup(cusp.tensor(many), slots, indices, 1, 0, 0):tolist()
    for i = 1, 5000 do assert.equal(i, found[i]) end
    -- what TensorFlow computes
    local texts = cusp.tensor{"a", "", "moon", ("x"):rep(20), ("y"):rep(40), ("z"):rep(100)}
    assert.same({939, 263, 430, 348, 6, 73}, engine.ops.hash_strings(texts, 1000):tolist())
    assert.same({646, 435, 876, 326, 653, 279},
      engine.ops.hash_strings(texts, 1000, {1, 2}):tolist())
    assert.same({88, 569},
      engine.ops.hash_strings(cusp.tensor({7, -12}, {dtype = "int64"}), 1000):tolist())
    assert.same({486, 690}, engine.ops.cross_hashes({cusp.tensor{"a", "b"},
      cusp.tensor({3, 4}, {dtype = "int64"})}, 1000):tolist())
    slots, indices = engine.ops.lookup_table(cusp.tensor{"sun", "sun moon"})
    local documents = cusp.tensor{"Sun, moon!", "", "moon"}
    local standardize = "lower_and_strip_punctuation"
    assert.same({3, 0, 1},
      engine.ops.count_tokens(documents, standardize, "whitespace", 2):tolist())
    assert.same({{2, 1, 3}, {0, 0, 0}, {1, 0, 0}}, engine.ops.vectorize_text(documents, slots,
      indices, standardize, "whitespace", "int", 3, 2, 1, 0, 2):tolist())
    assert.same({{1, 1, 1}, {0, 0, 0}, {1, 0, 0}}, engine.ops.vectorize_text(documents, slots,
      indices, standardize, "whitespace", "count", 3, 1, 0, -1, {1, 2}):tolist())
    raises(function() engine.ops.lookup(x, cusp.tensor{"a"}, indices, 0, 0, 0) end, "indices")
    raises(function() engine.ops.hash_strings(x, 0) end, "at least 1")
    raises(function() engine.ops.hash_strings(cusp.tensor{1.5}, 3) end, "string")
    raises(function() engine.ops.count_tokens(x, "upper", "whitespace") end, "upper")
    raises(function() engine.ops.count_tokens(x, "lower", "lines") end, "lines")
    raises(function() engine.ops.count_tokens(x, "lower", "", 0) end, "ngrams")
  end)

  it("raise an error where memory fails, and leak nothing", function()
    local vectorize = layers.TextVectorization{output_sequence_length = 5, ngrams = 2,
      vocabulary = {"sun", "moon"}}
    local n = 0
    local function task()
      n = n + 1
      local t = cusp.tensor{{"sun moon " .. n}, {"The Moon " .. n}}
      assert(vectorize(t):tolist()[2][2] == 3)
      assert(ops.concatenate({t, t}, 2):tolist()[1][2] == "sun moon " .. n)
      collectgarbage()
      engine.memory_trim()
    end
    task()
    local before = engine.memory().strings
    for count = 0, 120 do
      engine.fail_after(count)
      local ok, message = pcall(task)
      engine.fail_after(-1)
      assert(ok or tostring(message):find "memory", message)
      task()
    end
    collectgarbage()
    collectgarbage()
    engine.memory_trim()
    assert.is_true(engine.memory().strings <= before)
  end)

  it("stay the same through random programs", function()
    local random = 12345
    local function below(n)
      random = (random * 1103515245 + 12345) & 0x7fffffff
      return random // 65536 % n
    end
    for _ = 1, 60 do
      local rows, columns = below(5) + 1, below(4) + 1
      local list = {}
      for i = 1, rows do
        list[i] = {}
        for j = 1, columns do list[i][j] = odd[below(#odd) + 1] .. below(3) end
      end
      local t = cusp.tensor(list)
      for _ = 1, below(6) do
        local kind = below(4)
        if kind == 0 then -- transposed
          local other = {}
          for j = 1, #list[1] do
            other[j] = {}
            for i = 1, #list do other[j][i] = list[i][j] end
          end
          t, list = ops.transpose(t), other
        elseif kind == 1 then -- twice
          local n = #list
          for i = 1, n do list[n + i] = table.move(list[i], 1, #list[i], 1, {}) end
          t = ops.concatenate({t, t}, 1)
        elseif kind == 2 then -- in reverse
          local other = {}
          for i = 1, #list do other[i] = list[#list + 1 - i] end
          t, list = ops.flip(t, 1), other
        else -- one replaced
          local old, new = list[1][1], odd[below(#odd) + 1]
          for _, row in ipairs(list) do
            for j, text in ipairs(row) do row[j] = text == old and new or text end
          end
          t = ops.where(ops.equal(t, old), new, t)
        end
        if below(8) == 0 then engine.memory_trim() end
      end
      assert.same(list, t:tolist())
    end
  end)
end)
