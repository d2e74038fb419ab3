--- Writes the library's modules as data for libcusp: an assembler file that reads their compiled
-- code from another file.
-- Usage: build/cusp scripts/embed.lua OUTPUT.S FILE.lua...
local output = arg[1]
local pack = output:gsub("%.S$", "") .. ".bin"

-- "lua/cusp/layers/init.lua" is the module "cusp.layers".
local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local function compile(path)
  local file <close> = assert(io.open(path))
  return string.dump(assert(load(file:read "a", "@(libcusp)/" .. path:gsub("^lua/", ""), "t")))
end

local modules = {}
for i = 2, #arg do modules[i - 1] = {name = module_of(arg[i]), code = compile(arg[i])} end
table.sort(modules, function(a, b) return a.name < b.name end)

local offset, names, entries = 0, {}, {}
local data <close> = assert(io.open(pack, "wb"))
for i, module in ipairs(modules) do
  data:write(module.code)
  names[i] = ('name%d: .asciz "%s"'):format(i, module.name)
  entries[i] = (".quad name%d, code + %d, %d"):format(i, offset, #module.code)
  offset = offset + #module.code
end

local text <close> = assert(io.open(output, "w"))
text:write(".section .rodata\n.balign 16\n", ('code: .incbin "%s"\n'):format(pack),
  table.concat(names, "\n"), "\n.balign 8\n",
  ".globl cusp_c_module_count\n.hidden cusp_c_module_count\n",
  ("cusp_c_module_count: .quad %d\n"):format(#modules),
  '.section .data.rel.ro,"aw"\n.balign 8\n.globl cusp_c_modules\n.hidden cusp_c_modules\n',
  "cusp_c_modules:\n", table.concat(entries, "\n"),
  '\n.section .note.GNU-stack,"",%progbits\n')
