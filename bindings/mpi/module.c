/**
 * cusp.native.mpi: start(timeout, delay) → transport, rank, size; set_timeout(seconds);
 * gather(text) → the texts of all processes, in order of rank; split and set_sharers (groups.c).
 */
#include "native.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

cusp_mpi cusp_mpi_state = {.size = 1, .timeout = 600};

static pid_t process; /* that joined; the children of a fork have not */

/* ------------------------------------------------------------------ the end */

static bool nothing(cusp_mpi_job *job) {
  (void)job;
  return true;
}

/* All end together: who goes on with something else is found out, and not waited for. */
static bool all_end(void) {
  static cusp_mpi_job job = {.run = nothing, .what = "the end of the program", .ends = true};
  cusp_mpi_submit(&job);
  bool done = cusp_mpi_wait(&job);
  if (!done)
    fprintf(stderr, "cusp: %s\n", job.message);
  return done;
}

/* A process that fails does not wait for the others: mpirun ends them. */
static void finish(int status, void *unused) {
  (void)unused;
  int finalized = 0;
  if (getpid() != process)
    return;
  MPI_Finalized(&finalized);
  if (finalized)
    return;
  if (status == 0 && !cusp_mpi_state.broken && all_end()) {
    cusp_mpi_close_queue();
    MPI_Finalize();
    return;
  }
  status = status ? status : EXIT_FAILURE;
  fflush(NULL);
  fprintf(stderr, "cusp: rank %d of %d ended with status %d, and the job with it\n",
          cusp_mpi_state.rank, cusp_mpi_state.size, status);
  MPI_Abort(MPI_COMM_WORLD, status);
}

/* ------------------------------------------------------------------ the beginning */

static bool is_one_machine(void) {
  MPI_Comm near;
  int count = 1;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &near);
  MPI_Comm_size(near, &count);
  MPI_Comm_free(&near);
  return count == cusp_mpi_state.size;
}

/* Through the memory of one machine a message takes its threads no longer than a turn of theirs, so
 * who waits lets those go on that compute; the end of one that comes from elsewhere has to be seen
 * soon. */
static void choose_waiting(void) {
  const char *all = getenv("OMPI_COMM_WORLD_SIZE"), *near = getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  bool together = all && near && strcmp(all, near) == 0;
  if (together && cusp_mpi_state.latency == 0 && cusp_mpi_state.bandwidth == 0)
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

static void join(lua_State *L) {
  int provided = MPI_THREAD_SINGLE;
  choose_waiting();
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS ||
      provided < MPI_THREAD_SERIALIZED)
    luaL_error(L, "MPI could not be started for threads that take turns");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &cusp_mpi_state.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &cusp_mpi_state.size);
  MPI_Comm_dup(MPI_COMM_WORLD, &cusp_mpi_state.asking);
  cusp_mpi_state.sharers = MPI_COMM_WORLD;
  cusp_mpi_state.one_machine = is_one_machine();
  process = getpid();
  if (!cusp_mpi_open_queue())
    luaL_error(L, "there is no thread to be had for sending");
  on_exit(finish, NULL);
}

static int start(lua_State *L) {
  int initialized = 0;
  cusp_mpi_state.timeout = luaL_checknumber(L, 1);
  luaL_argcheck(L, cusp_mpi_set_delay(luaL_optstring(L, 2, "0")), 2,
                "expected \"MICROSECONDS,GIGABITS_PER_SECOND\"");
  MPI_Initialized(&initialized);
  if (!initialized)
    join(L);
  cusp_transport *transport = cusp_mpi_transport();
  lua_pushlightuserdata(L, transport);
  lua_pushinteger(L, transport->rank);
  lua_pushinteger(L, transport->size);
  return 3;
}

static int set_timeout(lua_State *L) {
  cusp_mpi_state.timeout = luaL_checknumber(L, 1);
  return 0;
}

/* ------------------------------------------------------------------ texts */

typedef struct text_job {
  cusp_mpi_job job;
  const char *text;
  int length;
  int *sizes, *places; /* by rank */
  char *all;
  int total;
} text_job;

static bool has_failed(cusp_mpi_job *job, int code) {
  if (code != MPI_SUCCESS)
    snprintf(job->message, sizeof job->message, "MPI failed with code %d", code);
  return code != MPI_SUCCESS;
}

static bool gather_all(cusp_mpi_job *job) {
  text_job *t = (text_job *)job;
  long long total = 0;
  if (has_failed(job, MPI_Allgather(&t->length, 1, MPI_INT, t->sizes, 1, MPI_INT, MPI_COMM_WORLD)))
    return false;
  for (int i = 0; i < cusp_mpi_state.size; i++) {
    t->places[i] = (int)total;
    total += t->sizes[i];
    if (total > INT_MAX) {
      snprintf(job->message, sizeof job->message, "the texts of all processes are too long");
      return false;
    }
  }
  t->total = (int)total;
  t->all = malloc((size_t)total + 1);
  if (!t->all) {
    snprintf(job->message, sizeof job->message, "not enough memory for the texts of all");
    return false;
  }
  return !has_failed(job, MPI_Allgatherv(t->text, t->length, MPI_CHAR, t->all, t->sizes, t->places,
                                         MPI_CHAR, MPI_COMM_WORLD));
}

/* Lua may raise for lack of memory. */
static int push_texts(lua_State *L) {
  text_job *t = lua_touserdata(L, 1);
  lua_createtable(L, cusp_mpi_state.size, 0);
  for (int i = 0; i < cusp_mpi_state.size; i++) {
    lua_pushlstring(L, t->all + t->places[i], (size_t)t->sizes[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static text_job *new_text_job(const char *text, size_t length) {
  const size_t n = (size_t)cusp_mpi_state.size;
  text_job *t = calloc(1, sizeof *t + 2 * n * sizeof(int));
  if (!t)
    return NULL;
  t->job.run = gather_all;
  snprintf(t->job.what, sizeof t->job.what, "texts of all");
  t->text = text;
  t->length = (int)length;
  t->sizes = (int *)(t + 1);
  t->places = t->sizes + n;
  return t;
}

/* MPI may still know of a job that was given up, so that stays. */
static int gather(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length <= INT_MAX, 1, "too long");
  text_job *t = new_text_job(text, length);
  if (!t)
    return luaL_error(L, "not enough memory");
  cusp_mpi_submit(&t->job);
  if (!cusp_mpi_wait(&t->job)) {
    free(t->all);
    return luaL_error(L, "%s", t->job.message);
  }
  lua_pushcfunction(L, push_texts);
  lua_pushlightuserdata(L, t);
  int status = lua_pcall(L, 1, 1, 0);
  free(t->all);
  free(t);
  return status == LUA_OK ? 1 : lua_error(L);
}

__attribute__((visibility("default"))) int luaopen_cusp_native_mpi(lua_State *L);

int luaopen_cusp_native_mpi(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"start", start},          {"set_timeout", set_timeout},          {"gather", gather},
      {"split", cusp_mpi_split}, {"set_sharers", cusp_mpi_set_sharers}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
