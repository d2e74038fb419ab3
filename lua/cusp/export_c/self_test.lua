--- The self-test of an exported file, and its `main`.
-- @module cusp.export_c.self_test
local text = require "cusp.export_c.text"
local weights = require "cusp.export_c.weights"

local self_test = {}

local function sample_name(program, i, item)
  return ("%s_sample%d_%s"):format(program.prefix, i, item.c_name)
end

local function define_samples(program, samples, writer)
  local record = program.record
  for i, sample in ipairs(samples) do
    for _, part in ipairs{{record.inputs, sample.inputs}, {record.outputs, sample.outputs}} do
      for k, item in ipairs(part[1]) do
        weights.define(text.type(item.dtype), item.dtype, sample_name(program, i, item),
          part[2][k]:flat(), writer.lines)
      end
    end
  end
  writer:line ""
end

local function define_difference(program, writer)
  writer:line("static float %s_difference(double worst, double x, double expected)",
    program.prefix)
  writer:open "{"
  writer:line "const double size = fabs(expected) > 1 ? fabs(expected) : 1;"
  writer:line "double d = fabs(x - expected) / size;"
  writer:line "if (x == expected || (x != x && expected != expected))"
  writer:line "  d = 0;"
  writer:line "else if (d != d)"
  writer:line "  d = INFINITY;"
  writer:line "return (float)(d > worst ? d : worst);"
  writer:close()
  writer:line ""
end

-- The arguments of a call with what is given for each input and output.
local function call(program, input, output)
  local record, list = program.record, {}
  if #record.states > 0 then list[1] = "&state" end
  for _, item in ipairs(record.inputs) do list[#list + 1] = input(item) end
  for _, item in ipairs(record.outputs) do list[#list + 1] = output(item) end
  return ("%s_predict(%s);"):format(program.prefix, table.concat(list, ", "))
end

local function c_name(item) return item.c_name end

local function declare_buffers(list, writer)
  for _, item in ipairs(list) do
    writer:line("static %s %s[%d];", text.type(item.dtype), item.c_name, item.count)
  end
end

local function declare_state(program, writer)
  if #program.record.states == 0 then return end
  writer:line("static %s_state state;", program.prefix)
  writer:line("%s_reset(&state);", program.prefix)
end

local function check_sample(program, i, writer)
  writer:line("%s", call(program, function(item) return sample_name(program, i, item) end, c_name))
  for _, item in ipairs(program.record.outputs) do
    writer:line("for (int i = 0; i < %d; i++)", item.count)
    writer:line("  worst = %s_difference(worst, (double)%s[i], (double)%s[i]);", program.prefix,
      item.c_name, sample_name(program, i, item))
  end
end

--- Adds the recorded calls and the function that repeats them.
-- @tparam table program
-- @tparam {table,...} samples `inputs` and `outputs`
-- @tparam table writer
function self_test.define(program, samples, writer)
  define_samples(program, samples, writer)
  define_difference(program, writer)
  writer:line("float %s_self_test(void)", program.prefix)
  writer:open "{"
  declare_buffers(program.record.outputs, writer)
  writer:line "float worst = 0;"
  declare_state(program, writer)
  for i in ipairs(samples) do check_sample(program, i, writer) end
  writer:line "return worst;"
  writer:close()
end

---------------------------------------------------------------- main

local function read_inputs(program, writer)
  for _, item in ipairs(program.record.inputs) do
    writer:open("for (int i = 0; i < %d; i++) {", item.count)
    writer:line "double number;"
    writer:line "if (scanf(\"%lf\", &number) != 1)"
    writer:line "  return 0;"
    writer:line("%s[i] = (%s)number;", item.c_name, text.type(item.dtype))
    writer:close()
  end
end

local function print_outputs(program, writer)
  for _, item in ipairs(program.record.outputs) do
    writer:line("for (int i = 0; i < %d; i++)", item.count)
    writer:line("  printf(\"%%.9g%%c\", (double)%s[i], i + 1 < %d ? ' ' : '\\n');", item.c_name,
      item.count)
  end
end

--- Adds `main`: the self-test, or predictions of the numbers from standard input.
function self_test.define_main(program, tolerance, writer)
  writer:line ""
  writer:line "int main(int argc, char **argv)"
  writer:open "{"
  declare_buffers(program.record.inputs, writer)
  declare_buffers(program.record.outputs, writer)
  declare_state(program, writer)
  writer:open "if (argc == 2 && strcmp(argv[1], \"--self-test\") == 0) {"
  writer:line("const float worst = %s_self_test();", program.prefix)
  writer:line "printf(\"greatest difference from the recorded outputs: %g\\n\", (double)worst);"
  writer:line("return worst <= %s ? 0 : 1;", text.literal(tolerance, "float32"))
  writer:close()
  writer:open "if (argc > 1) {"
  writer:line "fprintf(stderr, \"usage: %s [--self-test], or numbers on stdin\\n\", argv[0]);"
  writer:line "return 2;"
  writer:close()
  writer:open "for (;;) {"
  read_inputs(program, writer)
  writer:line("%s", call(program, c_name, c_name))
  print_outputs(program, writer)
  writer:close(2)
end

return self_test
