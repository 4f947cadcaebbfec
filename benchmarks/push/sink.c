// SPDX-License-Identifier: Apache-2.0
// The far end of the push benchmark: takes any request over TLS, reads its body to the end,
// throws it away, and answers as a vCenter would. One thread for each connection; no limits, no
// checks: it is started by the benchmark, on loopback, and must never be used for anything else.
//
// sink CERTIFICATE KEY 1.2|1.3: prints its port, and ends when its standard input does.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 16384, TAIL_BYTES = 256, READ_BYTES = 65536 };

#define LEVELS                                                                                     \
  "\"capacity\":524288,\"currently_available\":300000,"                                            \
  "\"low_watermark\":104857,\"inactive_source_timeout\":60"
#define RESULT "com.vmware.vcenter.host.entropy.external_pool.add_result"

static SSL_CTX *context;

struct connection {
  SSL *tls;
  size_t n_held; // bytes of the next request that are in `held`
  char held[HEAD_BYTES_MAX + 1];
  char tail[TAIL_BYTES + 1]; // of the body: the id of a JSON-RPC call is there
  size_t n_tail;
  char scratch[READ_BYTES];
};

static int send_reply(struct connection *c, const char *status, const char *payload) {
  char reply[2048];
  int n = snprintf(reply, sizeof reply,
                   "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   status, strlen(payload), payload);
  return SSL_write(c->tls, reply, n) == n;
}

// What Broadcom's SDK asks, and how it wants to be answered.
static int send_rpc_reply(struct connection *c, const char *head) {
  char payload[1024], id[128] = "null";
  const char *key = strstr(c->tail, "\"id\":");
  if (key)
    sscanf(key + 5, " %127[^,}]", id);
  const char *output = "null";
  if (strcasestr(head, "\nvapi-operation: create\r"))
    output = "{\"SECRET\":\"session\"}";
  else if (strcasestr(head, "\nvapi-operation: add\r"))
    output = "{\"STRUCTURE\":{\"" RESULT "\":{" LEVELS "}}}";
  snprintf(payload, sizeof payload, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"output\":%s}}",
           id, output);
  return send_reply(c, "200 OK", payload);
}

static int send_answer(struct connection *c, const char *head) {
  if (!strncmp(head, "POST /api HTTP", 14))
    return send_rpc_reply(c, head);
  if (!strncmp(head, "POST /api/session ", 18))
    return send_reply(c, "201 Created", "\"session\"");
  return send_reply(c, "200 OK", "{" LEVELS "}");
}

// Reads until `held` has a whole head; returns its length, or 0 at the end.
static size_t read_head(struct connection *c) {
  for (;;) {
    c->held[c->n_held] = 0;
    char *end = strstr(c->held, "\r\n\r\n");
    if (end)
      return (size_t)(end - c->held) + 4;
    int n = SSL_read(c->tls, c->held + c->n_held, (int)(HEAD_BYTES_MAX - c->n_held));
    if (n <= 0)
      return 0;
    c->n_held += (size_t)n;
  }
}

static void keep_tail(struct connection *c, const char *data, size_t n) {
  if (n > TAIL_BYTES) {
    data += n - TAIL_BYTES;
    n = TAIL_BYTES;
  }
  size_t old = c->n_tail < TAIL_BYTES - n ? c->n_tail : TAIL_BYTES - n;
  memmove(c->tail, c->tail + c->n_tail - old, old);
  memcpy(c->tail + old, data, n);
  c->n_tail = old + n;
}

static int serve_one(struct connection *c) {
  char head[HEAD_BYTES_MAX + 1];
  size_t n_head = read_head(c);
  if (!n_head)
    return 0;
  memcpy(head, c->held, n_head);
  head[n_head] = 0;
  const char *field = strcasestr(head, "\ncontent-length:");
  size_t left = field ? strtoull(field + 16, NULL, 10) : 0;

  size_t here = c->n_held - n_head < left ? c->n_held - n_head : left;
  c->n_tail = 0;
  keep_tail(c, c->held + n_head, here);
  c->n_held -= n_head + here;
  memmove(c->held, c->held + n_head + here, c->n_held);
  for (left -= here; left;) {
    int n = SSL_read(c->tls, c->scratch, (int)(left < READ_BYTES ? left : READ_BYTES));
    if (n <= 0)
      return 0;
    keep_tail(c, c->scratch, (size_t)n);
    left -= (size_t)n;
  }
  c->tail[c->n_tail] = 0;
  return send_answer(c, head);
}

static void *serve(void *argument) {
  int peer = (int)(long)argument;
  struct connection *c = calloc(1, sizeof *c);
  if (c && (c->tls = SSL_new(context)) && SSL_set_fd(c->tls, peer) && SSL_accept(c->tls) == 1)
    while (serve_one(c))
      ;
  if (c)
    SSL_free(c->tls);
  free(c);
  close(peer);
  return NULL;
}

static void *end_with_parent(void *unused) {
  char byte;
  (void)unused;
  while (read(0, &byte, 1) > 0)
    ;
  exit(0);
}

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  signal(SIGPIPE, SIG_IGN);
  int version = strcmp(argv[3], "1.2") ? TLS1_3_VERSION : TLS1_2_VERSION;
  context = SSL_CTX_new(TLS_server_method());
  if (!context || !SSL_CTX_set_min_proto_version(context, version) ||
      !SSL_CTX_set_max_proto_version(context, version) ||
      SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1)
    return 1;
  SSL_CTX_set_num_tickets(context, 0);

  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof here;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  if (listener < 0 || bind(listener, (struct sockaddr *)&here, size) || listen(listener, 512) ||
      getsockname(listener, (struct sockaddr *)&here, &size))
    return 1;
  printf("%d\n", ntohs(here.sin_port));
  fflush(stdout);

  pthread_t thread;
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&thread, &detached, end_with_parent, NULL))
    return 1;
  for (;;) {
    int peer = accept(listener, NULL, NULL);
    if (peer < 0)
      continue;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (pthread_create(&thread, &detached, serve, (void *)(long)peer))
      close(peer);
  }
}
