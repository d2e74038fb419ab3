--- The text of the exported file and of its header.
-- @module cusp.export_c.source_file
local arrays = require "cusp.export_c.arrays"
local engine = require "cusp.engine"
local lists = require "cusp.base.lists"
local self_test = require "cusp.export_c.self_test"
local text = require "cusp.export_c.text"
local weights = require "cusp.export_c.weights"

local source_file = {}

local reserved = {}
for word in ([[auto break case char const continue default do double else enum extern float for goto
  if inline int long register restrict return short signed sizeof static struct switch typedef union
  unsigned void volatile while state worst i number argc argv main printf fprintf scanf strcmp stdin
  stdout stderr NULL EOF NAN INFINITY HUGE_VAL]]):gmatch "%S+" do reserved[word] = true end

local function is_taken(name, prefix)
  return reserved[name] or name:find "^round%d" or name:sub(1, #prefix + 1) == prefix .. "_"
end

-- Names in C for what the caller gives, each of its own.
local function name_all(list, prefix)
  local taken = {}
  for _, item in ipairs(list) do
    local name, n = text.identifier(item.name), 1
    if is_taken(name, prefix) then name = name .. "_" end
    while taken[name:lower()] do
      n = n + 1
      name = text.identifier(item.name) .. "_" .. n
    end
    taken[name:lower()], item.c_name = true, name
    item.count = arrays.count(item.shape)
  end
end

local function concatenated(...)
  local result = {}
  for _, list in ipairs{...} do table.move(list, 1, #list, #result + 1, result) end
  return result
end

local function parameters(program)
  local record, list = program.record, {}
  if #record.states > 0 then list[1] = program.prefix .. "_state *state" end
  for _, input in ipairs(record.inputs) do
    list[#list + 1] = ("const %s *%s"):format(text.type(input.dtype), input.c_name)
  end
  for _, output in ipairs(record.outputs) do
    list[#list + 1] = ("%s *%s"):format(text.type(output.dtype), output.c_name)
  end
  return table.concat(list, ", ")
end

---------------------------------------------------------------- what is declared

local function declare_state(program, writer)
  if #program.record.states == 0 then return end
  writer:line "/* What goes from call to call; the caller keeps it, one for each stream. */"
  writer:open("typedef struct %s_state {", program.prefix)
  for _, state in ipairs(program.record.states) do
    writer:line("%s %s[%d];", text.type(state.dtype), state.c_name, state.count)
  end
  writer.depth = 0
  writer:line("} %s_state;", program.prefix)
  writer:line ""
end

local function describe_arguments(program, writer)
  for _, item in ipairs(concatenated(program.record.inputs, program.record.outputs)) do
    writer:line(" * %s: %s %s", item.c_name, text.type(item.dtype), text.shape(item.shape))
  end
end

local function declare(program, writer)
  local prefix, record = program.prefix, program.record
  declare_state(program, writer)
  for _, item in ipairs(concatenated(record.inputs, record.outputs)) do
    writer:line("#define %s_%s_SIZE %d", prefix:upper(), item.c_name:upper(), item.count)
  end
  writer:line ""
  if #record.states > 0 then
    writer:line "/* Sets the state to that before the first call. */"
    writer:line("void %s_reset(%s_state *state);", prefix, prefix)
  end
  writer:line "/* Computes the outputs, row by row. Not to be run by two threads at once."
  describe_arguments(program, writer)
  writer:line " */"
  writer:line("void %s_predict(%s);", prefix, parameters(program))
  writer:line "/* The greatest difference from recorded outputs, relative where they exceed 1. */"
  writer:line("float %s_self_test(void);", prefix)
  writer:line ""
end

--- The header, for those who call the functions.
function source_file.header(program)
  local writer, guard = text.writer(), program.prefix:upper() .. "_H"
  writer:line("/* Functions of %s, written by Cusp. */", program.file)
  writer:line("#ifndef %s", guard)
  writer:line("#define %s", guard)
  writer:line ""
  writer:line "#include <stdint.h>"
  writer:line ""
  writer:line "#ifdef __cplusplus"
  writer:line "extern \"C\" {"
  writer:line "#endif"
  writer:line ""
  declare(program, writer)
  writer:line "#ifdef __cplusplus"
  writer:line "}"
  writer:line "#endif"
  writer:line ""
  writer:line "#endif"
  return table.concat(writer.lines, "\n") .. "\n"
end

---------------------------------------------------------------- what is defined

local function define_memory(program, writer)
  local dtypes = lists.keys(program.work)
  if #dtypes == 0 then return end
  writer:line "/* Working memory; what is not needed at the same time shares its place. */"
  for _, dtype in ipairs(dtypes) do
    writer:line("static %s %s_work_%s[%d];", text.type(dtype), program.prefix, dtype,
      program.work[dtype])
  end
  writer:line ""
end

local function define_helpers(program, writer)
  for _, name in ipairs(program.helper_order) do
    for line in program.helpers[name]:gmatch "([^\n]*)\n" do writer:line("%s", line) end
    writer:line ""
  end
  if not program.needs_index then return end
  writer:line "/* Counts from the end where negative, and stays within the axis. */"
  writer:line("static int %s_index(int64_t i, int size)", program.prefix)
  writer:open "{"
  writer:line "if (i < 0)"
  writer:line "  i += size;"
  writer:line "return i < 0 ? 0 : i >= size ? size - 1 : (int)i;"
  writer:close()
  writer:line ""
end

local function define_step(step, writer)
  local list = {}
  for i, source in ipairs(step.parameters) do
    list[i] = ("%s%s *restrict %s"):format(step.written[source] and "" or "const ",
      text.type(source.dtype), source.name)
  end
  writer:line("/* %s */", step.comment)
  writer:line("static void %s(%s)", step.name, #list > 0 and table.concat(list, ", ") or "void")
  writer:line "{"
  table.move(step.writer.lines, 1, #step.writer.lines, #writer.lines + 1, writer.lines)
  writer:line "}"
  writer:line ""
end

-- What a step's parameter stands for in the call.
local function argument(program, source)
  local record = program.record
  if source.part_of then
    return ("%s + %s"):format(argument(program, source.part_of), source.position)
  end
  if source.constant then return source.name end
  if source.input then return record.inputs[source.input].c_name end
  if source.output then return record.outputs[source.output].c_name end
  if source.state then return "state->" .. record.states[source.state].c_name end
  local work = program.prefix .. "_work_" .. source.dtype
  return source.offset == 0 and work or ("%s + %d"):format(work, source.offset)
end

local function scalar(program, array)
  if array.literal then return array.literal end
  local code = argument(program, array.source)
  local base, offset = code:match "^(%S+) %+ (%d+)$"
  if base then return ("%s[%d]"):format(base, offset + array.offset) end
  return (code:find "%s" and "(%s)[%d]" or "%s[%d]"):format(code, array.offset)
end

local function call(program, step, used)
  local list = {}
  for i, source in ipairs(step.parameters) do
    list[i] = argument(program, source)
    used[arrays.whole(source)] = true
  end
  return ("%s(%s);"):format(step.name, table.concat(list, ", "))
end

-- An index beyond the ends stands for the first or the last branch.
local function open_branch(program, item, writer)
  local index = scalar(program, item.array)
  if item.branch == 0 then return writer:open("if (%s <= 0) {", index) end
  writer.depth = writer.depth - 1
  if item.branch == item.branches - 1 then return writer:open "} else {" end
  writer:open("} else if (%s == %d) {", index, item.branch)
end

-- Opens a loop, or a branch after the one before it.
local function open_item(program, item, writer)
  if item.branch then
    open_branch(program, item, writer)
  elseif item.branches then
    writer:line("/* %s: one of %d branches */", item.name, item.branches)
  elseif item.endless then
    writer:line("/* %s: while its condition holds */", item.name)
    writer:open "for (;;) {"
  else
    writer:line("/* %s: %d rounds */", item.name, item.count)
    writer:open("for (int %s = 0; %s < %d; %s++) {", item.variable, item.variable, item.count,
      item.variable)
  end
end

local function define_item(program, item, writer, used)
  if item.array and item.array.source then used[arrays.whole(item.array.source)] = true end
  if item.step then
    writer:line("%s", call(program, item.step, used))
  elseif item.breaks then
    writer:line("if (!%s)", scalar(program, item.array))
    writer:line "  break;"
  elseif item.closes then
    writer:close()
  else
    open_item(program, item, writer)
  end
end

local function define_predict(program, writer)
  local used = {}
  writer:line("void %s_predict(%s)", program.prefix, parameters(program))
  writer:open "{"
  for _, item in ipairs(program.items) do define_item(program, item, writer, used) end
  for i, input in ipairs(program.record.inputs) do
    if not used[program.record.arguments[i]] then writer:line("(void)%s;", input.c_name) end
  end
  writer:close()
  writer:line ""
end

local function define_reset(program, writer)
  if #program.record.states == 0 then return end
  writer:line("void %s_reset(%s_state *state)", program.prefix, program.prefix)
  writer:open "{"
  for _, state in ipairs(program.record.states) do
    writer:line("for (int i = 0; i < %d; i++)", state.count)
    writer:line("  state->%s[i] = 0;", state.c_name)
  end
  writer:close()
  writer:line ""
end

local function define_weights(program, writer)
  for _, source in ipairs(program.constants) do
    if source.used then
      weights.write(source, writer.lines)
      writer:line ""
    end
  end
end

--- Names what the caller gives. Before the texts are made.
function source_file.prepare(program)
  local record = program.record
  name_all(concatenated(record.inputs, record.outputs), program.prefix)
  name_all(record.states, program.prefix)
end

--- The text of the file.
-- @tparam table program
-- @tparam {table,...} samples
-- @tparam table options `main`, `tolerance`
function source_file.text(program, samples, options)
  local writer = text.writer()
  writer:line("/* %s: the model \"%s\" in C99, written by Cusp %s. */", program.file,
    (program.record.model.name:gsub("[*/\n]", "_")), engine.version)
  writer:line "#include <math.h>"
  writer:line "#include <stdint.h>"
  if options.main then
    writer:line "#include <stdio.h>"
    writer:line "#include <string.h>"
  end
  writer:line ""
  declare(program, writer)
  define_weights(program, writer)
  define_memory(program, writer)
  define_helpers(program, writer)
  for _, step in ipairs(program.steps) do define_step(step, writer) end
  define_predict(program, writer)
  define_reset(program, writer)
  self_test.define(program, samples, writer)
  if options.main then self_test.define_main(program, options.tolerance, writer) end
  return table.concat(writer.lines, "\n") .. "\n"
end

return source_file
