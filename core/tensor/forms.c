/* Forms of weights (see forms.h). */
#include "forms.h"

#include "../base/memory.h"

#include <pthread.h>
#include <string.h>

#define BUCKETS 4096

struct cusp_form {
  /* among those of the same bucket of each stamp */
  struct {
    cusp_form *next, **link;
  } chains[2];
  int64_t references;
  cusp_form_key key; /* the manner lies behind the struct */
  void *bytes;
};

static cusp_form *buckets[2][BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(lock, unlock, unlock); }

/** Whether both are of the same bytes of the same storages. */
static bool same_place(const cusp_form_key *a, const cusp_form_key *b) {
  return memcmp(a->stamps, b->stamps, sizeof a->stamps) == 0 &&
         memcmp(a->offsets, b->offsets, sizeof a->offsets) == 0;
}

static bool same(const cusp_form_key *a, const cusp_form_key *b) {
  return same_place(a, b) && a->manner_bytes == b->manner_bytes &&
         memcmp(a->manner, b->manner, a->manner_bytes) == 0;
}

static cusp_form **bucket(int which, uint32_t stamp) { return &buckets[which][stamp % BUCKETS]; }

static void enter(cusp_form *form, int which) {
  cusp_form **head = bucket(which, form->key.stamps[which]);
  form->chains[which].next = *head;
  form->chains[which].link = head;
  if (*head)
    (*head)->chains[which].link = &form->chains[which].next;
  *head = form;
}

static void leave(cusp_form *form, int which) {
  cusp_form *next = form->chains[which].next;
  *form->chains[which].link = next;
  if (next)
    next->chains[which].link = form->chains[which].link;
}

static cusp_form *find(const cusp_form_key *key) {
  for (cusp_form *form = *bucket(0, key->stamps[0]); form; form = form->chains[0].next)
    if (form->bytes && same(&form->key, key))
      return form;
  return NULL;
}

static cusp_status make(cusp_form **out, const cusp_form_key *key, size_t bytes) {
  cusp_form *form;
  CUSP_TRY(cusp_alloc_zeroed((void **)&form, sizeof *form + key->manner_bytes));
  cusp_status status = cusp_alloc(&form->bytes, bytes ? bytes : 1);
  if (status != CUSP_OK) {
    cusp_free(form);
    return status;
  }
  form->references = 1;
  form->key = *key;
  form->key.manner = memcpy(form + 1, key->manner, key->manner_bytes);
  enter(form, 0);
  enter(form, 1);
  *out = form;
  return CUSP_OK;
}

cusp_status cusp_form_get(cusp_form **out, const cusp_form_key *key, size_t bytes, bool *fill) {
  lock();
  cusp_status status = CUSP_OK;
  *out = find(key);
  *fill = !*out;
  if (*out)
    (*out)->references++;
  else
    status = make(out, key, bytes);
  unlock();
  return status;
}

void *cusp_form_bytes(const cusp_form *form) { return form->bytes; }

bool cusp_form_is_of(const cusp_form *form, const cusp_form_key *key) {
  return form && form->bytes && same_place(&form->key, key);
}

void cusp_form_release(cusp_form *form) {
  if (!form)
    return;
  lock();
  const bool last = --form->references == 0;
  if (last) {
    leave(form, 0);
    leave(form, 1);
  }
  unlock();
  if (!last)
    return;
  cusp_free(form->bytes);
  cusp_free(form);
}

static void forget(int which, uint32_t stamp) {
  for (cusp_form *form = *bucket(which, stamp); form; form = form->chains[which].next)
    if (form->key.stamps[which] == stamp) {
      cusp_free(form->bytes);
      form->bytes = NULL;
    }
}

void cusp_forms_forget(uint32_t stamp) {
  lock();
  forget(0, stamp);
  forget(1, stamp);
  unlock();
}
