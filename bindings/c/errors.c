/* Results and their messages. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[4096];

CUSP_API const char *cusp_last_error(void) { return last_error; }

CUSP_API const char *cusp_version(void) { return CUSP_VERSION; }

CUSP_API const char *cusp_result_name(cusp_result result) {
  static const char *const names[] = {
      "CUSP_SUCCESS",           "CUSP_ERROR_MEMORY", "CUSP_ERROR_SHAPE",       "CUSP_ERROR_ELEMENT",
      "CUSP_ERROR_VALUE",       "CUSP_ERROR_NAME",   "CUSP_ERROR_HANDLE",      "CUSP_ERROR_FILE",
      "CUSP_ERROR_UNSUPPORTED", "CUSP_ERROR_BUSY",   "CUSP_ERROR_INTERRUPTED", "CUSP_ERROR_LUA"};
  size_t index = (size_t)result;
  return index < sizeof names / sizeof *names ? names[index] : "no result of Cusp's";
}

cusp_result cusp_c_fail(cusp_result result, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  cusp_vformat(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  return result;
}

static cusp_result result_of(cusp_status status, cusp_result other) {
  switch (status) {
  case CUSP_ENOMEM: return CUSP_ERROR_MEMORY;
  case CUSP_ESHAPE: return CUSP_ERROR_SHAPE;
  case CUSP_EDTYPE: return CUSP_ERROR_ELEMENT;
  case CUSP_EVALUE: return CUSP_ERROR_VALUE;
  case CUSP_EIO: return CUSP_ERROR_FILE;
  case CUSP_EUNSUPPORTED:
  case CUSP_EBACKEND: return CUSP_ERROR_UNSUPPORTED;
  case CUSP_EINTERRUPT: return CUSP_ERROR_INTERRUPTED;
  default: return other;
  }
}

cusp_result cusp_c_fail_engine(cusp_status status, const char *what) {
  return cusp_c_fail(result_of(status, CUSP_ERROR_LUA), "%s: %s", what, cusp_error_message());
}

/* The engine's last failure says more than Lua's message where that was made from it. */
static cusp_result judge(const char *message, cusp_result other) {
  const char *engine = cusp_error_message();
  if (strstr(message, "not enough memory") || strstr(message, "out of memory"))
    return CUSP_ERROR_MEMORY;
  if (strstr(message, "interrupted!"))
    return CUSP_ERROR_INTERRUPTED;
  if (cusp_error_status() != CUSP_OK && *engine && strstr(message, engine))
    return result_of(cusp_error_status(), other);
  return other;
}

cusp_result cusp_c_fail_lua(const char *message, const char *what, cusp_result other) {
  return cusp_c_fail(judge(message, other), "%s: %s", what, message);
}
