local cusp = require "cusp"
local engine = require "cusp.engine"
local fails = require "spec.support.fails"
local Dataset = cusp.data.Dataset

local function with_folder(f)
  local folder = os.tmpname()
  os.remove(folder)
  engine.files.make_directories(folder .. "/sub")
  local files = {"a.txt", "b.txt", "c.log", "x[1].md", "sub/d.txt"}
  for _, name in ipairs(files) do
    local handle <close> = io.open(folder .. "/" .. name, "w")
    handle:write(name)
  end
  local ok, message = pcall(f, folder)
  for _, name in ipairs(files) do os.remove(folder .. "/" .. name) end
  os.remove(folder .. "/kept")
  os.remove(folder .. "/sub")
  os.remove(folder)
  if not ok then error(message, 0) end
end

describe("list_files", function()
  it("finds what patterns match", function()
    with_folder(function(folder)
      local function found(pattern)
        local names = {}
        for path in Dataset.list_files(pattern, {shuffle = false}):iterate() do
          names[#names + 1] = path:sub(#folder + 2)
        end
        return table.concat(names, " ")
      end
      assert.equal("a.txt b.txt", found(folder .. "/*.txt"))
      assert.equal("sub/d.txt", found(folder .. "/*/*.txt"))
      assert.equal("c.log", found(folder .. "/?.log"))
      assert.equal("b.txt c.log", found(folder .. "/[b-c].*"))
      assert.equal("b.txt", found(folder .. "/[!a].txt"))
      assert.equal("x[1].md", found(folder .. "/x\\[1].md"))
      assert.equal("a.txt b.txt c.log", found{folder .. "/c.log", folder .. "/*.txt"})
      assert.equal("a.txt", found(folder .. "/a.txt"))
      fails("no files match", Dataset.list_files, folder .. "/*.none")
      fails("no files match", Dataset.list_files, folder .. "/none/*.txt")
      fails("there is no pattern", Dataset.list_files, {})
    end)
  end)

  it("shuffles them, unless it is told not to", function()
    with_folder(function(folder)
      local dataset = Dataset.list_files(folder .. "/*", {seed = 2})
      assert.equal(5, #dataset)
      assert.equal("string", dataset.element_spec.dtype)
      local seen, count = {}, 0
      for path in dataset:repeat_(2):iterate() do
        seen[path], count = true, count + 1
      end
      assert.equal(10, count)
      assert.is_true(seen[folder .. "/sub"])
    end)
  end)
end)

describe("save and load", function()
  it("keep elements of any structure", function()
    with_folder(function(folder)
      local path = folder .. "/kept"
      Dataset.range(3):map(function(x)
        return {a = cusp.ops.full({x:item() + 1}, 1.5), b = {"s" .. x:item(), x}}
      end):save(path)
      local dataset = Dataset.load(path)
      assert.equal(3, #dataset)
      assert.equal("TensorSpec(shape = [None], dtype = float32)", tostring(dataset.element_spec.a))
      assert.equal("string", dataset.element_spec.b[1].dtype)
      local i = 0
      for e in dataset:repeat_(2):iterate() do
        local number = i % 3
        assert.same(number + 1, #e.a)
        assert.same({"s" .. number, number}, {e.b[1], e.b[2]:item()})
        i = i + 1
      end
      assert.equal(6, i)
      Dataset.range(2):save{path}
      assert.equal(2, #Dataset.load(path))
      assert.same({0, 1}, Dataset.load(path):batch(2):get_single_element():tolist())
    end)
  end)

  it("write whole files or none", function()
    with_folder(function(folder)
      local path = folder .. "/kept"
      Dataset.range(2):save(path)
      fails("no luck", function()
        Dataset.range(4):map(function(x) return x:item() == 2 and error "no luck" or x end)
          :save(path)
      end)
      assert.equal(2, #Dataset.load(path))
      fails("has no end", function() Dataset.counter():save(path) end)
      fails("there is no such file", Dataset.load, folder .. "/none")
      fails("not a complete file of elements", Dataset.load, folder .. "/a.txt")
    end)
  end)
end)
