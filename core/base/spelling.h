#ifndef CUSP_BASE_SPELLING_H
#define CUSP_BASE_SPELLING_H
/* How far one name is from another, for messages that suggest a known name. */

/** Letters to insert, delete, change, or swap with a neighbour, to turn one name into the other;
 * INT_MAX if a name is longer than 255 bytes. */
int cusp_edit_distance(const char *a, const char *b);

#endif
