#ifndef CUSP_H
#define CUSP_H
/* The engine's public face: everything that bindings, or a C program, may use. */

#include "base/cpu.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/threads.h"
#include "graph/function.h"
#include "io/digits.h"
#include "io/idx.h"
#include "node/build.h"
#include "node/node.h"
#include "node/op.h"
#include "node/variable.h"
#include "tensor/array.h"
#include "tensor/dtype.h"

#endif
