// SPDX-License-Identifier: Apache-2.0
// One connection of the far end: a request is read to its end, its reply waits as long as replies
// are to be delayed, and is sent. Nothing blocks. One thread.
#ifndef CONNECTION_H
#define CONNECTION_H
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_BYTES_MAX = 8192, FRONT_BYTES = 10, TAIL_BYTES = 256 };

enum stage { SHAKING, READING, DELAYED, WRITING };

struct connection {
  struct connection *next, *before;
  SSL *tls;
  int fd;
  enum stage stage;
  uint32_t events; // that epoll was asked for
  char head[HEAD_BYTES_MAX + 1];
  size_t n_head;
  size_t body_bytes, left;   // of the request's body
  char front[FRONT_BYTES];   // its first bytes
  char tail[TAIL_BYTES + 1]; // its last bytes, and a 0
  int malformed;
  double due; // when the reply is to be sent
  char *reply;
  size_t n_reply, n_sent;
};

// What the server does with a request that is whole; it sets reply, n_reply and due.
typedef int on_request(struct connection *connection);

// Goes on until the connection would block or waits; 0 when it has ended. `wants` says for what it
// waits, as EPOLLIN or EPOLLOUT or neither.
int connection_go_on(struct connection *connection, on_request *request, double now,
                     uint32_t *wants);

#endif
