-- What several processes do where something goes wrong in one of them.
local folders = require "spec.support.folder"
local launch = require "spec.support.launch"

local program = "spec/support/distributed_failures.lua "

local function lines_with(text, pattern)
  local count = 0
  for line in text:gmatch "[^\n]+" do
    if line:find(pattern) then count = count + 1 end
  end
  return count
end

-- The numbers that a training ends with.
local function same_end(expected, got)
  local function numbers(text) return text:match "end: (%d+) epochs, weights ([%d.]+)" end
  local epochs, weights = numbers(expected)
  local other_epochs, other_weights = numbers(got)
  assert.equal(epochs, other_epochs)
  assert.is_true(math.abs(weights - other_weights) < 1e-4, weights .. " " .. other_weights)
end

describe("of several processes", function()
  local function run(count, case, folder)
    return launch.run(count, program .. case .. " " .. (folder or ""))
  end

  local function fails(case, ...)
    local text, ok = run(2, case)
    assert.is_false(ok, text:sub(-1500))
    for _, part in ipairs{...} do assert.matches(part, text, 1, true) end
  end

  local function on_mpi(name, f)
    it(name, function()
      if not launch.is_possible() then return pending "mpirun is not here" end
      f()
    end)
  end

  on_mpi("one that raises ends the job, with its traceback and rank", function()
    fails("raise", "distributed_failures.lua", "this rank has had enough", "stack traceback",
      "rank 1 of 2 ended with status 1")
  end)

  on_mpi("one that ends early, or makes another call, ends the job at once", function()
    fails("leave", "of 2 is in its collective call", "the end of the program",
      "all processes should make the same calls")
    fails("other", "of 2 is in its collective call", "a sum of 3 float32")
  end)

  on_mpi("one that hangs is named after a while", function()
    fails("hang", "of 2 has waited 2 seconds", "did not come")
  end)

  on_mpi("other models, data and steps are named before the first step", function()
    fails("model", "first/kernel float32 [4, 3], but rank 1 has the variable", "[4, 2]")
    fails("rows", "rank 0 has batches = 10, but rank 1 has batches = 9")
    fails("dtype", "rank 0 has the array 2 of the data float32 [], but rank 1 has", "int32 []")
    fails("batches", "rank 0 has batches = 10, but rank 1 has batches = 5")
    fails("optimizer", "rank 0 has the optimizer Adam{learning_rate = 0.001}, but rank 1 has")
  end)

  on_mpi("other seeds end up with the weights of rank 0", function()
    local text, ok = run(3, "seeds")
    assert.is_true(ok, text:sub(-1500))
    same_end(text, (run(nil, "none")))
  end)

  on_mpi("one that stops stops all; rank 0 alone prints and writes", function()
    local folder <close> = folders.new()
    local text, ok = run(3, "stop", folder.path)
    assert.is_true(ok, text:sub(-1500))
    assert.matches("end: 1 epochs, weights [%d.]+, apart 0.0000", text)
    assert.equal(1, lines_with(text, "^Epoch 1/2"))
    assert.equal(1, lines_with(text, "finished saving"))
  end)

  on_mpi("one that is killed leaves what another number of them goes on from", function()
    local folder <close> = folders.new()
    local text, ok = run(2, "kill", folder.path)
    assert.is_false(ok, text:sub(-1500))
    local resumed, fine = run(3, "none", folder.path)
    assert.is_true(fine, resumed)
    same_end((run(nil, "none")), resumed)
  end)
end)
