/**
 * cusp.native.mpi: start(timeout) → transport, rank, size; set_timeout(seconds);
 * gather(text) → the texts of all processes, in order of rank.
 */
#include "native.h"

#include "base/transport.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

cusp_mpi cusp_mpi_state = {.size = 1, .timeout = 600};

static const MPI_Datatype *mpi_type(cusp_transport_type type) {
  static MPI_Datatype types[4];
  types[CUSP_TRANSPORT_FLOAT32] = MPI_FLOAT;
  types[CUSP_TRANSPORT_FLOAT64] = MPI_DOUBLE;
  types[CUSP_TRANSPORT_INT32] = MPI_INT32_T;
  types[CUSP_TRANSPORT_INT64] = MPI_INT64_T;
  return &types[type];
}

/* MPI counts in ints: larger tensors go in pieces. */
static _Bool sum(void *data, size_t count, cusp_transport_type type, char *message, size_t bytes) {
  static const size_t sizes[] = {4, 8, 4, 8}, most = 1 << 28;
  if (!cusp_mpi_begin(message, bytes))
    return false;
  for (size_t first = 0; first < count || (first == 0 && count == 0); first += most) {
    size_t piece = count - first < most ? count - first : most;
    MPI_Request request;
    char *at = (char *)data + first * sizes[type];
    int code = MPI_Iallreduce(MPI_IN_PLACE, at, (int)piece, *mpi_type(type), MPI_SUM,
                              MPI_COMM_WORLD, &request);
    if (code != MPI_SUCCESS) {
      snprintf(message, bytes, "MPI failed with code %d", code);
      return false;
    }
    if (!cusp_mpi_wait(&request, message, bytes))
      return false;
    if (count == 0)
      break;
  }
  return true;
}

static cusp_transport transport = {.sum = sum};

static pid_t process; /* that joined; the children of a fork have not */

/* A process that fails does not wait for the others: mpirun ends them. */
static void finish(int status, void *unused) {
  (void)unused;
  int finalized = 0;
  if (getpid() != process)
    return;
  MPI_Finalized(&finalized);
  if (finalized)
    return;
  if (status == 0 && !cusp_mpi_state.broken) {
    MPI_Finalize();
    return;
  }
  status = status ? status : EXIT_FAILURE;
  fflush(NULL);
  fprintf(stderr, "cusp: rank %d of %d ended with status %d, and the job with it\n",
          cusp_mpi_state.rank, cusp_mpi_state.size, status);
  MPI_Abort(MPI_COMM_WORLD, status);
}

static int start(lua_State *L) {
  int provided, initialized = 0;
  cusp_mpi_state.timeout = luaL_checknumber(L, 1);
  MPI_Initialized(&initialized);
  if (!initialized) {
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
      return luaL_error(L, "MPI could not be started");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &cusp_mpi_state.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &cusp_mpi_state.size);
    MPI_Comm_dup(MPI_COMM_WORLD, &cusp_mpi_state.asking);
    process = getpid();
    on_exit(finish, NULL);
  }
  transport.rank = cusp_mpi_state.rank;
  transport.size = cusp_mpi_state.size;
  lua_pushlightuserdata(L, &transport);
  lua_pushinteger(L, transport.rank);
  lua_pushinteger(L, transport.size);
  return 3;
}

static int set_timeout(lua_State *L) {
  cusp_mpi_state.timeout = luaL_checknumber(L, 1);
  return 0;
}

static void begin(lua_State *L) {
  char message[400];
  if (!cusp_mpi_begin(message, sizeof message))
    luaL_error(L, "%s", message);
}

/* Waits for a call that was begun with that code; raises where it fails. */
static void complete(lua_State *L, int code, MPI_Request *request) {
  char message[400] = "";
  if (code != MPI_SUCCESS)
    luaL_error(L, "MPI failed with code %d", code);
  if (!cusp_mpi_wait(request, message, sizeof message))
    luaL_error(L, "%s", message);
}

/* The sizes of all texts, and where each begins among all; returns their sum. */
static int gather_sizes(lua_State *L, int own, int *sizes, int *places) {
  MPI_Request request;
  begin(L);
  complete(L, MPI_Iallgather(&own, 1, MPI_INT, sizes, 1, MPI_INT, MPI_COMM_WORLD, &request),
           &request);
  long long total = 0;
  for (int i = 0; i < cusp_mpi_state.size; i++) {
    places[i] = (int)total;
    total += sizes[i];
    if (total > INT_MAX)
      luaL_error(L, "gather: the texts of all processes together are too long");
  }
  return (int)total;
}

static int gather(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length <= INT_MAX, 1, "too long");
  size_t n = (size_t)cusp_mpi_state.size;
  int *sizes = lua_newuserdatauv(L, 2 * n * sizeof *sizes, 0), *places = sizes + n;
  int total = gather_sizes(L, (int)length, sizes, places);
  char *all = lua_newuserdatauv(L, (size_t)total + 1, 0);
  MPI_Request request;
  begin(L);
  complete(L,
           MPI_Iallgatherv(text, (int)length, MPI_CHAR, all, sizes, places, MPI_CHAR,
                           MPI_COMM_WORLD, &request),
           &request);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushlstring(L, all + places[i], (size_t)sizes[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

__attribute__((visibility("default"))) int luaopen_cusp_native_mpi(lua_State *L);

int luaopen_cusp_native_mpi(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"start", start}, {"set_timeout", set_timeout}, {"gather", gather}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
