--- The reference: every entry says what it is about, and what editors and luacheck read is valid
-- and always the same.
package.path = "scripts/?.lua;" .. package.path
local cusp = require "cusp"
local doc_comments = require "cusp.base.doc_comments"
local folders = require "spec.support.folder"
local namespace = require "cusp.base.namespace"
local reference = require "reference"
local build = os.getenv "CUSP_BUILD" or "build"

local function each_entry(visit)
  local wrong = {}
  for _, page in ipairs(reference.pages) do
    for _, item in ipairs(page.items) do
      if item.path and visit(item) then wrong[#wrong + 1] = item.path end
    end
  end
  assert.equal("", table.concat(wrong, " "))
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- All names that the pages list, with their aliases and the classes of the first pages.
local function names_of_entries()
  local names = {Model = true, Sequential = true, Dataset = true}
  for _, page in ipairs(reference.pages) do
    for _, item in ipairs(page.items) do
      names[item.name or ""] = true
      for _, name in ipairs(item.others or {}) do names[name] = true end
    end
  end
  return names
end

-- What luacheck says of a program, with the standard of a library.
local function luacheck(folder, library, paths)
  local config <close> = assert(io.open(folder .. "/luacheckrc", "w"))
  config:write(("stds.cusp = dofile %q\nstd = \"lua54+cusp\"\nmax_line_length = false\n"):format(
    library .. "/luacheck.lua"))
  config:flush()
  local pipe <close> = io.popen(("luacheck --no-color --no-cache --config '%s/luacheckrc' %s 2>&1")
    :format(folder, paths))
  return pipe:read "a"
end

describe("the reference", function()
  it("describes every entry", function()
    each_entry(function(entry) return not entry.text:find "%S" end)
  end)

  it("names the arguments of every function", function()
    each_entry(function(entry)
      local first = entry.parameters[1]
      local said = entry.comment.parameters[1]
      return first and first.name == "..." and not (said and said.text ~= "")
    end)
  end)

  it("has each public namespace on a page", function()
    local text = ""
    for _, page in pairs(reference.markdown()) do text = text .. page end
    for _, name in ipairs{"layers.Dense", "ops.softmax", "ops.image.resize", "cusp.tensor",
      "tensor:slice", "tensor:item", "variable:assign", "plot.history", "model:fit",
      "losses.mean_squared_error", "applications.ResNet50", "hdf5.open"} do
      assert(text:find("**`" .. name, 1, true), name)
    end
  end)

  it("has every function and class that is public", function()
    local listed, missing = names_of_entries(), {}
    for _, path in ipairs{"layers", "losses", "metrics", "optimizers", "callbacks", "random",
      "initializers", "regularizers", "constraints", "activations", "utils", "models", "data",
      "saving", "hdf5", "numpy", "zip", "json", "yaml", "tfrecord", "summary", "config", "tree"} do
      for _, name in ipairs(namespace.names(cusp[path])) do
        local comment = doc_comments.of_value(cusp[path][name], name)
        if comment and not comment.hidden and not listed[name] and name ~= "Functional" then
          missing[#missing + 1] = path .. "." .. name
        end
      end
    end
    assert.equal("", table.concat(missing, " "))
  end)

  it("links pages that exist", function()
    local files = reference.markdown()
    local count = 0
    for name in files["README.md"]:gmatch "%]%(([%w_]+%.md)%)" do
      assert(files[name], name)
      count = count + 1
    end
    assert.is_true(count > 25)
  end)
end)

describe("the annotations", function()
  local files = reference.library()

  it("are Lua, of a size that servers read", function()
    for path, text in pairs(files) do
      assert(load(text, "=" .. path))
      assert(#text < 500000, path)
    end
  end)

  it("have classes, their bases, options with types, and operators", function()
    local layers, main = files["cusp/layers.lua"], files["cusp.lua"]
    for _, line in ipairs{"---@class cusp.layers.Dense : cusp.layers.Layer",
      "---@field Dense cusp.layers.Dense.class", "---@field units? integer",
      "---@field use_bias? boolean # default `true`"} do
      assert(layers:find("\n" .. line, 1, true), line)
    end
    for _, line in ipairs{"---@operator add(cusp.TensorLike): cusp.Tensor",
      "function Tensor:sum(axis, keepdims) end", "---@class cusp.Variable : cusp.Tensor",
      "return cusp"} do
      assert(main:find("\n" .. line, 1, true), line)
    end
  end)

  it("are the same from every process", function()
    local first <close> = folders.new()
    local second <close> = folders.new()
    for _, scope in ipairs{first, second} do
      assert.is_true(os.execute(("%s/cusp scripts/reference.lua library '%s' > /dev/null"):format(
        build, scope.path)))
    end
    for path in pairs(files) do
      assert(read(first.path .. "/" .. path) == read(second.path .. "/" .. path), path)
    end
  end)
end)

describe("luacheck's standard", function()
  if not os.execute "command -v luacheck > /dev/null" then return end

  local function with_library(paths, program)
    local scope <close> = folders.new()
    local file <close> = assert(io.open(scope.path .. "/luacheck.lua", "w"))
    file:write(reference.library()["luacheck.lua"])
    file:flush()
    if program then
      local script <close> = assert(io.open(scope.path .. "/program.lua", "w"))
      script:write(program)
      script:flush()
      paths = scope.path .. "/program.lua"
    end
    return luacheck(scope.path, scope.path, paths)
  end

  it("accepts the examples", function()
    local said = with_library "scripts/examples"
    assert(said:find "0 warnings / 0 errors", said)
  end)

  it("knows the prompt's names and the fields of cusp", function()
    local said = with_library(nil, "print(cusp.tensor, layers.Dense, ops.sum, cusp.ops.image)\n")
    assert(said:find "0 warnings / 0 errors", said)
    said = with_library(nil, "print(layers.Dens, cusp.ops.summ, foo)\n")
    for _, name in ipairs{"Dens", "ops.summ", "foo"} do assert(said:find(name, 1, true), said) end
  end)
end)
