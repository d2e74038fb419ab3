#include "spelling.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define LONGEST 255

static int least(int a, int b) { return a < b ? a : b; }

/** Whether the letters that end at i and j (from 1) are swapped neighbours. */
static bool swapped(const char *a, const char *b, size_t i, size_t j) {
  return i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
}

int cusp_edit_distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > LONGEST || m > LONGEST)
    return INT_MAX;
  int rows[3][LONGEST + 1] = {0};
  for (size_t j = 0; j <= m; j++)
    rows[0][j] = (int)j;
  for (size_t i = 1; i <= n; i++) {
    int *current = rows[i % 3], *previous = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    current[0] = (int)i;
    for (size_t j = 1; j <= m; j++) {
      int edit = least(previous[j], current[j - 1]) + 1;
      current[j] = least(edit, previous[j - 1] + (a[i - 1] != b[j - 1]));
      if (swapped(a, b, i, j))
        current[j] = least(current[j], before[j - 2] + 1);
    }
  }
  return rows[n % 3][m];
}
