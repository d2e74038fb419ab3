/* Tensors whose bytes other native modules read in place; see lent.h. */
#include "binding.h"
#include "lent.h"

typedef struct loan {
  cusp_lent lent; /* first: all that the other module knows */
  cusp_array array;
} loan;

static int end_loan(lua_State *L) {
  loan *box = luaL_checkudata(L, 1, CUSP_LENT);
  box->lent = (cusp_lent){0};
  cusp_array_release(&box->array);
  return 0;
}

/** The elements in row-major order: the array's own storage where that is their order, else a
 * copy. */
static cusp_status borrow(cusp_array *out, const cusp_array *from) {
  if (from->storage && cusp_array_is_contiguous(from)) {
    *out = *from;
    cusp_storage_retain(out->storage);
    return CUSP_OK;
  }
  CUSP_TRY(cusp_array_new(out, from->dtype, &from->shape));
  if (cusp_array_count(from) > 0)
    cusp_array_copy(out, from);
  return CUSP_OK;
}

/** lend(tensor) → its bytes for another native module. [-0, +1, e] */
static int lend(lua_State *L) {
  const cusp_array *from = &cusp_lua_check_numbers(L, 1, "lend")->value;
  loan *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (loan){0};
  luaL_setmetatable(L, CUSP_LENT);
  cusp_status status = borrow(&box->array, from);
  if (status != CUSP_OK)
    return cusp_lua_raise(L, status, "lend");
  box->lent.bytes = box->array.data;
  box->lent.size = (size_t)cusp_array_count(&box->array) * cusp_dtype_size(box->array.dtype);
  return 1;
}

void cusp_lua_open_lend(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", end_loan}, {"__close", end_loan}, {NULL, NULL}};
  cusp_lua_new_class(L, CUSP_LENT, metamethods, NULL);
  lua_pop(L, 1);
  lua_pushcfunction(L, lend);
  lua_setfield(L, -2, "lend");
}
