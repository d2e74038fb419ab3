-- Processes that divide a model among themselves compute, write and read what one does.
local folders = require "spec.support.folder"
local launch = require "spec.support.launch"
local numbers = require "spec.support.numbers"

local cases, files = "spec/support/divided_cases.lua ", "spec/support/divided_files.lua "

local function on_mpi(name, f)
  it(name, function()
    if not launch.is_possible() then return pending "mpirun is not here" end
    f()
  end)
end

local function succeeds(count, program)
  local text, ok = launch.run(count, program)
  assert.is_true(ok, text:sub(-1500))
  return numbers.read(text), text
end

describe("a divided model", function()
  for _, count in ipairs{2, 3} do
    on_mpi(("is what one process has, with %d"):format(count), function()
      local alone = succeeds(nil, cases .. "1")
      assert.equal(28, numbers.count(alone))
      assert.same({}, numbers.differing(alone, succeeds(count, cases .. "1")))
    end)
  end

  on_mpi("is so with two groups of two that divide batches", function()
    local wanted = " dense transformers products uses parts axes"
    local alone = succeeds(nil, cases .. "1" .. wanted)
    assert.same({}, numbers.differing(alone, succeeds(4, cases .. "2" .. wanted)))
  end)

  on_mpi("starts with the same weights everywhere, without a seed", function()
    local alone = succeeds(nil, files .. "unseeded")
    assert.same({}, numbers.differing(alone, succeeds(3, files .. "unseeded")))
    assert.equal(0, alone.apart[1])
  end)

  on_mpi("takes half the memory in two processes", function()
    local alone, two = succeeds(nil, files .. "memory"), succeeds(2, files .. "memory")
    assert.is_true(two.peak[1] < 0.65 * alone.peak[1], two.peak[1] .. " of " .. alone.peak[1])
  end)
end)

describe("files of a divided model", function()
  -- What a program prints of each file, all equal.
  local function read(count, folder)
    local text, ok = launch.run(count, files .. "read " .. folder)
    assert.is_true(ok, text:sub(-1500))
    local found = {}
    for line in text:gmatch "[^\n]+" do
      if line:find "^trained " then found[#found + 1] = numbers.read(line) end
    end
    assert.equal(7, #found)
    return found, numbers.read(text)
  end

  for _, counts in ipairs{{2, nil}, {nil, 3}, {3, 2}} do
    local from, to = counts[1] or 1, counts[2] or 1
    on_mpi(("of %d are read by %d"):format(from, to), function()
      local folder <close> = folders.new()
      local written = succeeds(counts[1], files .. "write " .. folder.path)
      local alone, further = read(nil, folder.path)
      assert.same({}, numbers.differing(written, alone[1]))
      local found, more = read(counts[2], folder.path)
      for _, one in ipairs(found) do assert.same({}, numbers.differing(written, one)) end
      assert.same({}, numbers.differing(further, more))
    end)
  end

  on_mpi("let a killed job go on with another number of processes", function()
    local folder, other <close> = folders.new(), folders.new()
    local whole = succeeds(nil, files .. "backup " .. other.path)
    local text, ok = launch.run(2, files .. "backup " .. folder.path .. " kill")
    assert.is_false(ok, text)
    assert.same({}, numbers.differing(whole, succeeds(3, files .. "backup " .. folder.path)))
    folder:__close()
  end)
end)

local messages = {
  layer = "the variable lstm/lstm_cell/kernel of shape [4, 24] cannot be divided as its layout"
    .. ' {nil, "model"} says: the layer does not compute with parts of it',
  uneven = "the variable sequential/up/kernel of shape [6, 25] cannot be divided as its layout"
    .. ' {nil, "model"} says: axis 2 of 25 is not divisible by the 2 processes of "model"',
  window = "the variable conv/kernel of shape [6, 4, 4] cannot be divided",
  batch = 'batches are divided along "model"; a mesh such as {1, 2}',
  axes = "the variable flat/bias of shape [6] cannot be divided as its layout"
    .. ' {nil, "model"} says: it names more axes than the variable has',
  regularizer = "its regularizer needs the whole", constraint = "its constraint needs the whole",
  own_call = "up (Own): the variable up/kernel", lora = "the layer is adapted by lora_rank",
  muon = "Muon.build: the variable sequential_1/embedding_1/embeddings is divided",
  index = "the input holds 12, but input_dim = 12", low_index = "the input holds -13",
  export = "onnx.export: the variable", spectral = "its norm is that of the whole",
  seeds = "rank 0 has the layer dropout, whose random numbers begin with the seed 0 (set the"
    .. " distribution before the model is made), but rank 1 has",
  taken = "save_weights: rank 0 failed: ",
}

describe("what cannot be divided", function()
  on_mpi("is named with its layout", function()
    local text, ok = launch.run(2, files .. "wrong /tmp")
    assert.is_true(ok, text:sub(-1500))
    for name, message in pairs(messages) do
      local line = text:match("rank 1 " .. name .. ": ([^\n]*)")
      assert.matches(message, line, 1, true)
    end
    assert.matches("rank 0 taken: [^\n]*/dev/null: cannot make the folder", text)
  end)
end)
