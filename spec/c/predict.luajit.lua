-- A Lua 5.1 program that predicts with a model, by LuaJIT's FFI.
-- Usage: luajit predict.luajit.lua LIBRARY MODEL
local ffi = require "ffi"

ffi.cdef [[
typedef struct cusp_context cusp_context;
typedef struct cusp_model cusp_model;
typedef struct cusp_input {
  const char *name; int element; size_t rank; const int64_t *shape; const void *data; size_t bytes;
} cusp_input;
typedef struct cusp_output {
  const char *name; int element; void *data; size_t bytes;
} cusp_output;
int cusp_context_new(cusp_context **out);
int cusp_context_free(cusp_context *context);
int cusp_context_run(cusp_context *context, const char *code, const char *name);
int cusp_model_load(cusp_model **out, cusp_context *context, const char *path);
int cusp_model_predict(cusp_model *model, int64_t rows, const cusp_input *inputs, size_t n_inputs,
                       const cusp_output *outputs, size_t n_outputs);
const char *cusp_last_error(void);
]]

local cusp = ffi.load(arg[1])
local FLOAT32 = 11

local function check(result)
  if result ~= 0 then error(ffi.string(cusp.cusp_last_error()), 2) end
end

local context, model = ffi.new "cusp_context *[1]", ffi.new "cusp_model *[1]"
check(cusp.cusp_context_new(context))
check(cusp.cusp_model_load(model, context[0], arg[2]))
local x, y = ffi.new("float[8]", 1), ffi.new "float[3]"
for i = 0, 7 do x[i] = i / 8 end
local input = ffi.new("cusp_input", {element = FLOAT32, data = x, bytes = ffi.sizeof(x)})
local output = ffi.new("cusp_output", {element = FLOAT32, data = y, bytes = ffi.sizeof(y)})
check(cusp.cusp_model_predict(model[0], 1, input, 1, output, 1))
print(("%.6f %.6f %.6f"):format(y[0], y[1], y[2]))
assert(cusp.cusp_context_run(context[0], "error 'thrown'", "script") ~= 0)
print(ffi.string(cusp.cusp_last_error()))
assert(cusp.cusp_context_run(context[0], "assert(math.type(1) == 'integer')", "script") == 0)
check(cusp.cusp_context_free(context[0]))
