/* Text as messages of Jupyter's type "stream". */
#define _GNU_SOURCE
#include "native.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ UTF-8 */

/* How many bytes the character at `text` has; 0: not whole yet; -1: no character. */
static int character_length(const unsigned char *text, size_t size) {
  int length = text[0] < 0x80   ? 1
               : text[0] < 0xc2 ? -1
               : text[0] < 0xe0 ? 2
               : text[0] < 0xf0 ? 3
                                : 4;
  if (length < 0 || text[0] > 0xf4)
    return -1;
  for (int i = 1; i < length; i++) {
    if ((size_t)i >= size)
      return 0;
    if ((text[i] & 0xc0) != 0x80)
      return -1;
  }
  bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
  bool beyond = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
  return overlong || beyond ? -1 : length;
}

/* ------------------------------------------------------------------ JSON */

enum { MOST_ESCAPED = 6 /* bytes that a byte of text may take */ };

static char *escape(char *to, unsigned char c) {
  switch (c) {
  case '"': return stpcpy(to, "\\\"");
  case '\\': return stpcpy(to, "\\\\");
  case '\n': return stpcpy(to, "\\n");
  case '\r': return stpcpy(to, "\\r");
  case '\t': return stpcpy(to, "\\t");
  default: return to + sprintf(to, "\\u%04x", c);
  }
}

/* Writes the text as the inside of a JSON string. What is no UTF-8 becomes U+FFFD. Returns the
 * number of bytes used: those of a character that is not whole yet are left unless `all`. */
static size_t escape_text(char *to, const char *text, size_t size, bool all) {
  size_t used = 0;
  while (used < size) {
    const unsigned char *at = (const unsigned char *)text + used;
    int length = character_length(at, size - used);
    if (length == 0 && !all)
      break;
    if (length <= 0)
      to = stpcpy(to, "\\ufffd");
    else if (length == 1 && (*at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7f))
      to = escape(to, *at);
    else
      to = mempcpy(to, at, (size_t)length);
    used += length <= 0 ? 1 : (size_t)length;
  }
  *to = '\0';
  return used;
}

static void write_date(char *to, size_t size) {
  struct timespec now;
  struct tm parts;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  size_t length = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(to + length, size - length, ".%06ldZ", now.tv_nsec / 1000);
}

/* ------------------------------------------------------------------ the message */

static void send_part(void *socket, const char *data, size_t size, bool more) {
  while (zmq_send(socket, data, size, more ? ZMQ_SNDMORE : 0) < 0 && zmq_errno() == EINTR)
    ;
}

static void send_message(cusp_sender *sender, const char *name, const char *header,
                         const char *content) {
  const char *parts[] = {header, sender->parent, "{}", content};
  cusp_piece pieces[4];
  char topic[32], signature[CUSP_SIGNATURE_SIZE];
  for (int i = 0; i < 4; i++)
    pieces[i] = (cusp_piece){parts[i], strlen(parts[i])};
  cusp_sign(signature, (cusp_piece){sender->key, strlen(sender->key)}, pieces, 4);
  snprintf(topic, sizeof topic, "stream.%s", name);
  send_part(sender->socket, topic, strlen(topic), true);
  send_part(sender->socket, "<IDS|MSG>", 9, true);
  send_part(sender->socket, signature, strlen(signature), true);
  for (int i = 0; i < 4; i++)
    send_part(sender->socket, pieces[i].data, pieces[i].size, i < 3);
}

/* Session and user come escaped from Lua. The result is malloc's; NULL where there is no memory. */
static char *make_header(cusp_sender *sender) {
  char date[40], *header;
  write_date(date, sizeof date);
  int size = asprintf(&header,
                      "{\"msg_id\":\"%s_output_%lu\",\"session\":\"%s\",\"username\":\"%s\","
                      "\"date\":\"%s\",\"msg_type\":\"stream\",\"version\":\"5.3\"}",
                      sender->session, ++sender->count, sender->session, sender->user, date);
  return size < 0 ? NULL : header;
}

void cusp_publish_stream(cusp_sender *sender, cusp_stream *stream, bool all) {
  char *header = make_header(sender);
  char *content = malloc(MOST_ESCAPED * stream->size + 64);
  size_t used = 0;
  if (header && content) {
    char *text = content + sprintf(content, "{\"name\":\"%s\",\"text\":\"", stream->name);
    used = escape_text(text, stream->text, stream->size, all);
    strcat(text, "\"}");
    if (used > 0)
      send_message(sender, stream->name, header, content);
  }
  free(header);
  free(content);
  memmove(stream->text, stream->text + used, stream->size - used);
  stream->size -= used;
}
