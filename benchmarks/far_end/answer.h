// SPDX-License-Identifier: Apache-2.0
// What a vCenter answers: session, inventory and external pools, as far as feeding needs them.
#ifndef ANSWER_H
#define ANSWER_H
#include "fleet.h"

enum { AROUND_BYTES = 11 }; // {"data":"..."}: what a body has beside its Base64 text

// The list of all hosts as JSON; to be freed.
char *inventory_of(const struct fleet *fleet);

// Writes the reply to a request whose head and tail end with a 0; returns its bytes, 0 if it does
// not fit. The caller has checked the body of an add.
size_t answer(struct fleet *fleet, const char *inventory, const char *head, size_t body_bytes,
              const char *tail, double now, char *out, size_t size);

#endif
