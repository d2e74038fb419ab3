#include "status.h"

#include "numerals.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 1024

static _Thread_local char message[MESSAGE_SIZE];
static _Thread_local cusp_status last_status;

cusp_status cusp_fail(cusp_status status, const char *format, ...) {
  char text[MESSAGE_SIZE]; /* not `message` itself: it may be among the arguments */
  va_list arguments;
  va_start(arguments, format);
  cusp_vformat(text, sizeof text, format, arguments);
  va_end(arguments);
  memcpy(message, text, strlen(text) + 1);
  last_status = status;
  return status;
}

cusp_status cusp_fail_prefix(cusp_status status, const char *format, ...) {
  char text[MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  cusp_vformat(text, sizeof text, format, arguments);
  va_end(arguments);
  size_t prefix = strlen(text), rest = strlen(message);
  if (rest > MESSAGE_SIZE - 1 - prefix)
    rest = MESSAGE_SIZE - 1 - prefix;
  memcpy(text + prefix, message, rest);
  text[prefix + rest] = '\0';
  memcpy(message, text, prefix + rest + 1);
  last_status = status;
  return status;
}

void cusp_fail_drop(const char *name) {
  size_t length = strlen(name);
  if (strncmp(message, name, length) == 0 && strncmp(message + length, ": ", 2) == 0)
    memmove(message, message + length + 2, strlen(message + length + 2) + 1);
}

const char *cusp_error_message(void) { return message; }

cusp_status cusp_error_status(void) { return last_status; }

void cusp_error_clear(void) {
  last_status = CUSP_OK;
  message[0] = '\0';
}

#ifdef CUSP_DEBUG
#include <stdlib.h>

void cusp_assert_failed(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
  abort();
}
#endif
