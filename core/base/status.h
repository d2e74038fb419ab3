#ifndef CUSP_BASE_STATUS_H
#define CUSP_BASE_STATUS_H
/* Status codes and the per-thread message that explains the last failure. */

#include <stddef.h>

#define CUSP_NODISCARD __attribute__((warn_unused_result))
#define CUSP_EXPORT __attribute__((visibility("default")))
#define CUSP_PRINTF(text, first) __attribute__((format(printf, text, first)))

/** Few codes, those a caller would treat differently; the message carries the rest. */
typedef enum cusp_status {
  CUSP_OK = 0,
  CUSP_ENOMEM,       /* an allocation failed */
  CUSP_ESHAPE,       /* shapes do not fit together */
  CUSP_EDTYPE,       /* a dtype is not accepted here */
  CUSP_EVALUE,       /* an argument's value is out of its range */
  CUSP_EUNSUPPORTED, /* nothing implements this combination */
  CUSP_EIO,          /* a file could not be read or written, or is malformed */
  CUSP_EBACKEND,     /* OpenBLAS, oneDNN or another library failed or is absent */
  CUSP_EINTERRUPT,   /* the user asked to stop */
  CUSP_ETRACED       /* a value was asked of a tensor that is being traced */
} cusp_status;

/** Records a message (what was wrong, expected, received) for this thread and returns `status`.
 * Needs no memory. */
cusp_status cusp_fail(cusp_status status, const char *format, ...) CUSP_PRINTF(2, 3);

/** Puts text in front of this thread's message ("dense: ") and returns `status`. */
cusp_status cusp_fail_prefix(cusp_status status, const char *format, ...) CUSP_PRINTF(2, 3);

/** Takes "name: " from the front of this thread's message, where it is there. */
void cusp_fail_drop(const char *name);

/** This thread's last message; lent, valid until the next failure on this thread. */
const char *cusp_error_message(void);

/** Status of the last failure of this thread since cusp_error_clear, CUSP_OK if none. */
cusp_status cusp_error_status(void);
void cusp_error_clear(void);

/** Returns from the calling function with the status of `expression` unless it is CUSP_OK. */
#define CUSP_TRY(expression)                    \
  do {                                          \
    cusp_status cusp_try_status = (expression); \
    if (cusp_try_status != CUSP_OK)             \
      return cusp_try_status;                   \
  } while (0)

/** Broken invariants (programmer mistakes) stop debug builds; user mistakes get a status. */
#ifdef CUSP_DEBUG
void cusp_assert_failed(const char *file, int line, const char *what) __attribute__((noreturn));
#define cusp_assert(condition) \
  ((condition) ? (void)0 : cusp_assert_failed(__FILE__, __LINE__, #condition))
#else
#define cusp_assert(condition) ((void)0)
#endif

#endif
