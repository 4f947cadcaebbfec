// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "connection.h"
#include "answer.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static char scratch[1 << 17];

static int blocked(struct connection *c, int n, uint32_t *wants) {
  int error = SSL_get_error(c->tls, n);
  *wants = error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

// Takes in a part of the body: its beginning and its end are all that is looked at.
static void take_body(struct connection *c, const char *data, size_t n) {
  size_t at = c->body_bytes - c->left;
  for (size_t i = 0; at + i < FRONT_BYTES && i < n; i++)
    c->front[at + i] = data[i];
  c->left -= n;
  if (n >= TAIL_BYTES) {
    memcpy(c->tail, data + n - TAIL_BYTES, TAIL_BYTES);
  } else {
    memmove(c->tail, c->tail + n, TAIL_BYTES - n);
    memcpy(c->tail + TAIL_BYTES - n, data, n);
  }
}

// Returns how much of the data is the head's, or 0 if more of it has to come.
static size_t take_head(struct connection *c, const char *data, size_t n) {
  size_t before = c->n_head, more = HEAD_BYTES_MAX - before < n ? HEAD_BYTES_MAX - before : n;
  memcpy(c->head + before, data, more);
  c->head[before + more] = 0;
  char *end = strstr(c->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
  if (!end) {
    c->n_head = before + more;
    c->malformed |= c->n_head == HEAD_BYTES_MAX;
    return 0;
  }
  end[4] = 0;
  c->n_head = (size_t)(end - c->head) + 4;
  const char *field = strcasestr(c->head, "\ncontent-length:");
  c->body_bytes = c->left = field ? strtoull(field + 16, NULL, 10) : 0;
  return c->n_head - before;
}

// Whether a body is {"data":"..."}, or with a blank after the colon, around whole Base64 groups.
static int is_add(const struct connection *c) {
  size_t blank = c->front[8] == ' ', around = AROUND_BYTES + blank;
  return c->body_bytes >= around + 4 && (c->body_bytes - around) % 4 == 0 &&
         !memcmp(c->front, "{\"data\": \"", 8) && c->front[8 + blank] == '"' &&
         !memcmp(c->tail + TAIL_BYTES - 2, "\"}", 2) && c->tail[TAIL_BYTES - 3] != '=';
}

static int is_whole(const struct connection *c) {
  return c->n_head && !c->left && !strcmp(c->head + c->n_head - 4, "\r\n\r\n");
}

static int read_on(struct connection *c, uint32_t *wants) {
  for (;;) {
    int n = SSL_read(c->tls, scratch, sizeof scratch);
    if (n <= 0)
      return blocked(c, n, wants);
    const char *data = scratch;
    size_t size = (size_t)n;
    if (!c->left) {
      size_t taken = take_head(c, data, size);
      if (c->malformed)
        return 0;
      if (!taken)
        continue;
      data += taken;
      size -= taken;
    }
    if (size > c->left) // nobody asks before the reply is there
      return 0;
    if (size)
      take_body(c, data, size);
    if (is_whole(c))
      return 1;
  }
}

static int write_on(struct connection *c, uint32_t *wants) {
  while (c->n_sent < c->n_reply) {
    int n = SSL_write(c->tls, c->reply + c->n_sent, (int)(c->n_reply - c->n_sent));
    if (n <= 0)
      return blocked(c, n, wants);
    c->n_sent += (size_t)n;
  }
  free(c->reply);
  c->reply = NULL;
  c->n_reply = c->n_sent = c->n_head = c->body_bytes = 0;
  c->stage = READING;
  return 1;
}

int connection_go_on(struct connection *c, on_request *request, double now, uint32_t *wants) {
  *wants = 0;
  ERR_clear_error(); // what another connection left there would be taken for this one's
  if (c->stage == SHAKING) {
    int n = SSL_accept(c->tls);
    if (n <= 0)
      return blocked(c, n, wants);
    c->stage = READING;
  }
  for (;;) {
    if (c->stage == READING) {
      if (!read_on(c, wants))
        return 0;
      if (!is_whole(c))
        return 1;
      if (!strncmp(c->head, "POST /api/vcenter/", 18))
        c->malformed |= !is_add(c);
      if (!request(c))
        return 0;
      c->stage = DELAYED;
    }
    if (c->stage == DELAYED) {
      if (c->due > now)
        return 1;
      c->stage = WRITING;
    }
    if (!write_on(c, wants))
      return 0;
    if (c->stage == WRITING)
      return 1;
  }
}
