#ifndef CUSP_TENSOR_FORMS_H
#define CUSP_TENSOR_FORMS_H
/*
 * Forms of weights: what kernels made of the bytes of a storage (packed for a convolution), shared
 * by all calls that want the same, on all threads. A form's bytes go when the last call lets it go,
 * or when the storage changes or is freed.
 */

#include "array.h"

typedef struct cusp_form cusp_form;

/** What a form was made of and how. */
typedef struct cusp_form_key {
  uint32_t stamp;      /* of the storage */
  int64_t offset;      /* of the array in it */
  const void *manner;  /* bytes that say how; copied */
  size_t manner_bytes; /* of them */
} cusp_form_key;

/** The form of the key, of `bytes` bytes aligned to 64, found or new. Where *fill says so the
 * caller has to write it and say so; other threads that want it wait until then. */
CUSP_NODISCARD cusp_status cusp_form_get(cusp_form **out, const cusp_form_key *key, size_t bytes,
                                         bool *fill);
/** It is written. */
void cusp_form_filled(cusp_form *form);
/** Its bytes; NULL where they are gone. */
void *cusp_form_bytes(const cusp_form *form);
/** Of one that was not filled, those who wait make another. NULL is accepted. */
void cusp_form_release(cusp_form *form);

/** Drops the bytes of all forms that were made of the storage with that stamp. */
void cusp_forms_forget(uint32_t stamp);

#endif
