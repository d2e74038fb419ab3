#define _GNU_SOURCE
#include "numerals.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain; /* (locale_t)0 where there was no memory: then the host's is used */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

void *cusp_locale_enter(void) {
  pthread_once(&once, make_plain);
  return uselocale(plain);
}

void cusp_locale_leave(void *entered) { uselocale(entered); }

int cusp_vformat(char *out, size_t size, const char *format, va_list arguments) {
  void *entered = cusp_locale_enter();
  int length = vsnprintf(out, size, format, arguments);
  cusp_locale_leave(entered);
  return length;
}

int cusp_format(char *out, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = cusp_vformat(out, size, format, arguments);
  va_end(arguments);
  return length;
}

double cusp_parse_double(const char *text, char **end) {
  void *entered = cusp_locale_enter();
  double number = strtod(text, end);
  cusp_locale_leave(entered);
  return number;
}
