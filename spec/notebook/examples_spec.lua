-- The example notebooks run from their first cell to their last.
local Frontend = require "spec.support.frontend"
local json = require "cusp.formats.json"
local test = Frontend.possible and it or pending

local function cells_of(path)
  local file = assert(io.open(path))
  local notebook = json.decode(file:read "a")
  file:close()
  local list = {}
  for _, cell in ipairs(notebook.cells) do
    if cell.cell_type == "code" then
      assert.same({}, cell.outputs)
      list[#list + 1] = table.concat(cell.source)
    end
  end
  return list
end

-- The kinds of all that the cells of a notebook show.
local function kinds_shown(frontend, path)
  local kinds = {}
  for _, code in ipairs(cells_of(path)) do
    local reply, list = frontend:run(code)
    assert.equal("ok", reply.status, reply.evalue)
    for _, message in ipairs(list) do
      for kind in pairs(message.content.data or {}) do kinds[kind] = true end
    end
  end
  return kinds
end

describe("the notebook", function()
  for name, kind in pairs{training = "text/html", pictures = "image/png"} do
    test(name .. " runs", function()
      local frontend = Frontend.open():wait()
      local ok, kinds = pcall(kinds_shown, frontend,
        ("scripts/examples/notebooks/%s.ipynb"):format(name))
      frontend:close()
      assert(ok, kinds)
      assert.is_true(kinds[kind] and kinds["image/svg+xml"])
    end)
  end
end)
