// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION "far-end-session"
#define POOL "/entropy/external-pool"

char *inventory_of(const struct fleet *fleet) {
  size_t size = fleet->n * 128 + 3, used = 1;
  char *text = malloc(size);
  if (!text)
    return NULL;
  text[0] = '[';
  for (size_t i = 0; i < fleet->n; i++)
    used += (size_t)snprintf(text + used, size - used,
                             "%s{\"host\":\"host-%zu\",\"name\":\"esx-%zu.example\","
                             "\"connection_state\":\"CONNECTED\",\"power_state\":\"POWERED_ON\"}",
                             i ? "," : "", FIRST_HOST + i, FIRST_HOST + i);
  memcpy(text + used, "]", 2);
  return text;
}

static size_t reply(char *out, size_t size, const char *status, const char *payload) {
  int n = snprintf(out, size,
                   "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                   status, strlen(payload), payload);
  return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static size_t reply_level(const struct fleet *fleet, const char *first, uint64_t level, char *out,
                          size_t size) {
  char payload[256];
  snprintf(payload, sizeof payload,
           "{%s\"capacity\":%llu,\"currently_available\":%llu,\"low_watermark\":%llu,"
           "\"inactive_source_timeout\":%llu}",
           first, (unsigned long long)fleet->capacity_bytes, (unsigned long long)level,
           (unsigned long long)fleet->watermark_bytes, (unsigned long long)fleet->timeout_seconds);
  return reply(out, size, "200 OK", payload);
}

// What Broadcom's SDK asks over JSON-RPC: a login, or an add, which no pool gets anything of.
static size_t answer_rpc(const struct fleet *fleet, const char *head, const char *tail, char *out,
                         size_t size) {
  char payload[512], result[384] = "null", id[128] = "null";
  const char *key = strstr(tail, "\"id\":");
  if (key)
    sscanf(key + 5, " %127[^,}]", id);
  if (strcasestr(head, "\nvapi-operation: create\r"))
    snprintf(result, sizeof result, "{\"SECRET\":\"" SESSION "\"}");
  else if (strcasestr(head, "\nvapi-operation: add\r"))
    snprintf(result, sizeof result,
             "{\"STRUCTURE\":{\"com.vmware.vcenter.host.entropy.external_pool.add_result\":"
             "{\"capacity\":%llu,\"currently_available\":0,\"low_watermark\":%llu,"
             "\"inactive_source_timeout\":%llu}}}",
             (unsigned long long)fleet->capacity_bytes, (unsigned long long)fleet->watermark_bytes,
             (unsigned long long)fleet->timeout_seconds);
  snprintf(payload, sizeof payload, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"output\":%s}}",
           id, result);
  return reply(out, size, "200 OK", payload);
}

static int begins(const char *text, const char *with) {
  return !strncmp(text, with, strlen(with));
}

size_t answer(struct fleet *fleet, const char *inventory, const char *head, size_t body_bytes,
              const char *tail, double now, char *out, size_t size) {
  if (begins(head, "POST /api "))
    return answer_rpc(fleet, head, tail, out, size);
  if (begins(head, "POST /api/session "))
    return reply(out, size, "201 Created", "\"" SESSION "\"");
  if (!strcasestr(head, "\nvmware-api-session-id: " SESSION "\r"))
    return reply(out, size, "401 Unauthorized",
                 "{\"error_type\":\"UNAUTHENTICATED\",\"messages\":[]}");
  if (begins(head, "DELETE /api/session "))
    return reply(out, size, "204 No Content", "");
  if (begins(head, "GET /api/session "))
    return reply(out, size, "200 OK", "{\"user\":\"bridge\"}");
  if (begins(head, "GET /api/vcenter/host "))
    return reply(out, size, "200 OK", inventory);
  int is_add = begins(head, "POST ");
  const char *path = head + (is_add ? 5 : begins(head, "GET ") ? 4 : 0);
  const char *host = "/api/vcenter/host/host-";
  if (path != head && begins(path, host)) {
    char *rest;
    unsigned long number = strtoul(path + strlen(host), &rest, 10);
    size_t index = number - FIRST_HOST;
    if (number >= FIRST_HOST && index < fleet->n) {
      if (!is_add && begins(rest, POOL " "))
        return reply_level(fleet, "\"status\":\"ENABLED\",", fleet_look(fleet, index, now), out,
                           size);
      if (is_add && begins(rest, POOL "?action=add ")) {
        uint64_t raw_bytes = (body_bytes - AROUND_BYTES) / 4 * 3;
        return reply_level(fleet, "", fleet_add(fleet, index, raw_bytes, now), out, size);
      }
    }
  }
  return reply(out, size, "404 Not Found", "{\"error_type\":\"NOT_FOUND\",\"messages\":[]}");
}
