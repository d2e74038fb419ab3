#ifndef CUSP_TENSOR_FORMS_H
#define CUSP_TENSOR_FORMS_H
/*
 * Forms of weights: what kernels made of the bytes of one or two storages (packed for a
 * convolution), shared by all calls that want the same. A form's bytes go when the last call lets
 * it go, or when one of the storages changes or is freed.
 */

#include "array.h"

typedef struct cusp_form cusp_form;

/** What a form was made of and how. Zero a key before it is filled: it is compared as bytes. */
typedef struct cusp_form_key {
  uint32_t stamps[2];  /* of the storages; 0: none */
  int64_t offsets[2];  /* of the arrays in their storages */
  const void *manner;  /* bytes that say how; copied */
  size_t manner_bytes; /* of them */
} cusp_form_key;

/** The form of the key, of `bytes` bytes aligned to 64, found or new. Where *fill says so the
 * caller has to write it, before anybody else runs on this thread. */
CUSP_NODISCARD cusp_status cusp_form_get(cusp_form **out, const cusp_form_key *key, size_t bytes,
                                         bool *fill);
/** Its bytes; NULL where they are gone. */
void *cusp_form_bytes(const cusp_form *form);
/** Whether it was made of the key's bytes, in whatever manner, and is still there. NULL: no. */
bool cusp_form_is_of(const cusp_form *form, const cusp_form_key *key);
void cusp_form_release(cusp_form *form); /* NULL is accepted */

/** Drops the bytes of all forms that were made of the storage with that stamp. */
void cusp_forms_forget(uint32_t stamp);

#endif
