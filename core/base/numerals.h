#ifndef CUSP_BASE_NUMERALS_H
#define CUSP_BASE_NUMERALS_H
/* Numbers as text, with a point whatever locale the host has set: what printf and strtod write and
 * read depends on it. */

#include <stdarg.h>
#include <stddef.h>

/** As vsnprintf. */
int cusp_vformat(char *out, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
/** As snprintf. */
int cusp_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** As strtod. */
double cusp_parse_double(const char *text, char **end);

/** Puts this thread into the C locale until cusp_locale_leave is given what this returned. */
void *cusp_locale_enter(void);
void cusp_locale_leave(void *entered);

#endif
