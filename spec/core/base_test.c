/* Tests of core/base: messages, the allocator, threads, Philox. */
#include "base/cpu.h"
#include "base/crowd.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/spelling.h"
#include "base/threads.h"
#include "check.h"

#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_messages(void) {
  cusp_error_clear();
  CHECK(cusp_error_status() == CUSP_OK && cusp_error_message()[0] == '\0');
  CHECK(cusp_fail(CUSP_ESHAPE, "axis %d", 3) == CUSP_ESHAPE);
  CHECK(strcmp(cusp_error_message(), "axis 3") == 0);
  CHECK(cusp_fail_prefix(CUSP_ESHAPE, "%s: ", "dense") == CUSP_ESHAPE);
  CHECK(strcmp(cusp_error_message(), "dense: axis 3") == 0);
  CHECK(cusp_fail(CUSP_EVALUE, "again: %s", cusp_error_message()) == CUSP_EVALUE);
  CHECK(strcmp(cusp_error_message(), "again: dense: axis 3") == 0);
  CHECK(cusp_error_status() == CUSP_EVALUE);
  char longest[4000];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  cusp_fail(CUSP_EVALUE, "%s", longest);
  cusp_fail_prefix(CUSP_EVALUE, "front ");
  CHECK(strncmp(cusp_error_message(), "front xxx", 9) == 0 && strlen(cusp_error_message()) < 1100);
}

static void test_allocation(void) {
  cusp_memory_stats before = cusp_memory_get_stats();
  void *blocks[200];
  uint64_t total = 0;
  for (int i = 0; i < 200; i++) {
    size_t bytes = i < 190 ? (size_t)(i * 37) : (size_t)1 << (i - 175);
    CHECK_OK(cusp_alloc(&blocks[i], bytes));
    CHECK((uintptr_t)blocks[i] % CUSP_ALIGNMENT == 0);
    CHECK(cusp_block_size(blocks[i]) == (bytes ? bytes : 1));
    memset(blocks[i], i, bytes);
    total += bytes ? bytes : 1;
  }
  CHECK(cusp_memory_live() - before.bytes_live == total);
  CHECK(cusp_memory_get_stats().blocks_live - before.blocks_live == 200);
  CHECK(cusp_memory_get_stats().bytes_peak >= total);
  for (int i = 0; i < 200; i++)
    cusp_free(blocks[i]);
  cusp_free(NULL);
  CHECK(cusp_memory_live() == before.bytes_live);
  CHECK(cusp_memory_get_stats().blocks_live == before.blocks_live);
  cusp_memory_reset_peak();
  CHECK(cusp_memory_get_stats().bytes_peak == before.bytes_live);
  cusp_memory_trim();
  CHECK(cusp_memory_get_stats().bytes_cached == 0);
}

static void test_zeroed(void) {
  unsigned char *block;
  CHECK_OK(cusp_alloc((void **)&block, 1000));
  memset(block, 0xff, 1000);
  cusp_free(block);
  CHECK_OK(cusp_alloc_zeroed((void **)&block, 1000));
  int sum = 0;
  for (int i = 0; i < 1000; i++)
    sum += block[i];
  CHECK(sum == 0);
  cusp_free(block);
}

static void test_failing_allocations(void) {
  void *first = NULL, *second = NULL;
  cusp_memory_fail_after(1);
  CHECK_OK(cusp_alloc(&first, 10));
  CHECK_FAILS(CUSP_ENOMEM, "10 bytes", cusp_alloc(&second, 10));
  CHECK(second == NULL);
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_alloc(&second, 10));
  cusp_memory_fail_after(-1);
  CHECK_OK(cusp_alloc(&second, 10));
  cusp_free(first);
  cusp_free(second);
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_alloc(&first, SIZE_MAX));
  CHECK_FAILS(CUSP_ENOMEM, "memory", cusp_alloc(&first, SIZE_MAX / 2));
  size_t product;
  CHECK_OK(cusp_multiply_size(&product, 6, 7));
  CHECK(product == 42);
  CHECK_FAILS(CUSP_EVALUE, "too large", cusp_multiply_size(&product, SIZE_MAX / 2, 3));
  CHECK_FAILS(CUSP_EVALUE, "too large", cusp_multiply_size(&product, SIZE_MAX / 3, 2));
}

/** Random sizes, freed in random order, with contents checked: blocks never overlap. */
static void test_random_allocations(void) {
  enum { COUNT = 300, ROUNDS = 20000 };
  unsigned char *blocks[COUNT] = {0};
  size_t sizes[COUNT];
  int damaged = 0;
  for (int round = 0; round < ROUNDS; round++) {
    cusp_philox_block random = cusp_philox(1, 2, (uint64_t)round);
    int i = (int)(random.word[0] % COUNT);
    if (blocks[i] != NULL) {
      for (size_t j = 0; j < sizes[i]; j++)
        damaged += blocks[i][j] != (unsigned char)i;
      cusp_free(blocks[i]);
      blocks[i] = NULL;
      continue;
    }
    sizes[i] = 1 + random.word[1] % (1u << (random.word[2] % 14));
    CHECK_OK(cusp_alloc((void **)&blocks[i], sizes[i]));
    memset(blocks[i], i, sizes[i]);
    if (round % 5000 == 0)
      cusp_memory_trim();
  }
  CHECK(damaged == 0);
  for (int i = 0; i < COUNT; i++)
    cusp_free(blocks[i]);
}

static void allocate_range(void *context, int64_t begin, int64_t end) {
  int *failures = context;
  for (int64_t i = begin; i < end; i++) {
    void *block;
    if (cusp_alloc(&block, (size_t)(i % 3000)) != CUSP_OK)
      __atomic_fetch_add(failures, 1, __ATOMIC_RELAXED);
    cusp_free(block);
  }
}

typedef struct visit {
  int64_t count;
  unsigned char *seen;
  int calls, nested_calls, nested_parts;
} visit;

static void nested_range(void *context, int64_t begin, int64_t end) {
  visit *v = context;
  __atomic_fetch_add(&v->nested_calls, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&v->nested_parts, begin != 0 || end != 1000, __ATOMIC_RELAXED);
}

static void visit_range(void *context, int64_t begin, int64_t end) {
  visit *v = context;
  __atomic_fetch_add(&v->calls, 1, __ATOMIC_RELAXED);
  for (int64_t i = begin; i < end; i++)
    v->seen[i]++;
  cusp_parallel_for(1000, 1, nested_range, v);
}

static void check_visits(int64_t count, int64_t grain, int most_calls) {
  visit v = {.count = count, .seen = calloc((size_t)count + 1, 1)};
  cusp_parallel_for(count, grain, visit_range, &v);
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; i++)
    wrong += v.seen[i] != 1;
  CHECK(wrong == 0);
  CHECK(v.calls <= most_calls && (count == 0 || v.calls >= 1));
  if (v.calls > 1) /* inside a running parallel_for: one direct call each */
    CHECK(v.nested_calls == v.calls && v.nested_parts == 0);
  free(v.seen);
}

static void test_threads(void) {
  int start = cusp_get_num_threads();
  CHECK(start >= 1);
  CHECK_FAILS(CUSP_EVALUE, "between 1 and 1024", cusp_set_num_threads(0));
  CHECK_FAILS(CUSP_EVALUE, "2000", cusp_set_num_threads(2000));
  CHECK_OK(cusp_set_num_threads(3));
  CHECK(cusp_get_num_threads() == 3);
  check_visits(0, 1, 0);
  check_visits(1, 1, 1);
  check_visits(100, 1000, 1);
  check_visits(100, 60, 1);
  check_visits(100, 50, 2);
  check_visits(100001, 10, 3);
  int failures = 0;
  cusp_parallel_for(100000, 1, allocate_range, &failures);
  CHECK(failures == 0);
  CHECK_OK(cusp_set_num_threads(start));
}

static void *visit_often(void *wrong) {
  for (int round = 0; round < 300; round++) {
    visit v = {.count = 1000, .seen = calloc(1000, 1)};
    cusp_parallel_for(v.count, 1 + round % 400, visit_range, &v);
    for (int64_t i = 0; i < v.count; i++)
      *(int *)wrong += v.seen[i] != 1;
    free(v.seen);
  }
  return NULL;
}

/** Callers at the same time: one has the pool, the others work alone. */
static void test_callers(void) {
  enum { CALLERS = 4 };
  int start = cusp_get_num_threads(), wrong[CALLERS] = {0};
  pthread_t callers[CALLERS];
  CHECK_OK(cusp_set_num_threads(3));
  for (int i = 0; i < CALLERS; i++)
    CHECK(pthread_create(&callers[i], NULL, visit_often, &wrong[i]) == 0);
  for (int i = 0; i < CALLERS; i++)
    CHECK(pthread_join(callers[i], NULL) == 0 && wrong[i] == 0);
  CHECK_OK(cusp_set_num_threads(start));
}

/** Beside other programs fewer threads share the same pieces. */
static void test_crowd(void) {
  int start = cusp_get_num_threads();
  CHECK_OK(cusp_set_num_threads(8));
  for (int i = 0; i < 10; i++) {
    cusp_crowd_note(INT64_C(1000000000), 8);
    const int threads = cusp_crowd_threads(8);
    CHECK(threads >= 1 && threads <= 8);
    check_visits(100000, 1, 8);
  }
  CHECK(cusp_crowd_threads(1) == 1);
  CHECK_OK(cusp_set_num_threads(start));
}

static void test_interrupt(void) {
  CHECK(!cusp_interrupted());
  cusp_interrupt();
  CHECK(cusp_interrupted() && cusp_interrupt_take() && !cusp_interrupted() &&
        !cusp_interrupt_take());
}

/** A child does as much as its parent, although the parent's threads are missing there; the parent
 * goes on. */
static void test_fork(void) {
  check_visits(100000, 1, cusp_get_num_threads());
  int before = check_failed, status = 1, forks = cusp_fork_count();
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    check_visits(100000, 1, cusp_get_num_threads());
    _exit(check_failed > before || cusp_fork_count() != forks + 1);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(cusp_fork_count() == forks);
  check_visits(100000, 1, cusp_get_num_threads());
}

/** The published test vectors of Philox4x32-10. */
static void test_philox(void) {
  cusp_philox_block zero = cusp_philox(0, 0, 0);
  CHECK(zero.word[0] == 0x6627e8d5 && zero.word[1] == 0xe169c58d && zero.word[2] == 0xbc57ac4c &&
        zero.word[3] == 0x9b00dbd8);
  cusp_philox_block ones = cusp_philox(UINT64_MAX, UINT64_MAX, UINT64_MAX);
  CHECK(ones.word[0] == 0x408f276d && ones.word[1] == 0x41c83b0e && ones.word[2] == 0xa20bc7c6 &&
        ones.word[3] == 0x6d5451fd);
  cusp_philox_block pi = cusp_philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88);
  CHECK(pi.word[0] == 0xd16cfe09 && pi.word[1] == 0x94fdcceb && pi.word[2] == 0x5001e420 &&
        pi.word[3] == 0x24126ea1);
}

static void test_cpu(void) {
  CHECK(cusp_cpu_isa() < CUSP_ISA_COUNT);
  CHECK(strcmp(cusp_isa_name(CUSP_ISA_AVX2), "avx2") == 0);
  CHECK(cusp_cpu_name()[0] != '\0');
}

static void test_spelling(void) {
  CHECK(cusp_edit_distance("", "") == 0 && cusp_edit_distance("", "axis") == 4);
  CHECK(cusp_edit_distance("units", "units") == 0 && cusp_edit_distance("unit", "units") == 1);
  CHECK(cusp_edit_distance("axsi", "axis") == 1 && cusp_edit_distance("kitten", "sitting") == 3);
  CHECK(cusp_edit_distance("ab", "ba") == 1 && cusp_edit_distance("ca", "abc") == 3);
  char longest[257];
  memset(longest, 'x', 256);
  longest[256] = '\0';
  CHECK(cusp_edit_distance(longest, "x") == INT_MAX && cusp_edit_distance("x", longest) == INT_MAX);
  longest[255] = '\0';
  CHECK(cusp_edit_distance(longest, longest) == 0 && cusp_edit_distance(longest, "") == 255);
}

int main(void) {
  test_messages();
  test_allocation();
  test_zeroed();
  test_failing_allocations();
  test_random_allocations();
  test_threads();
  test_callers();
  test_crowd();
  test_fork();
  test_interrupt();
  test_philox();
  test_cpu();
  test_spelling();
  return check_summary();
}
