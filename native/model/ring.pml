// SPDX-License-Identifier: Apache-2.0
//
// The ring of src/ring as a model for spin: per lane the index rings `filled` and `freed`, the text
// of the slots, and the wake-ups both ways (ask, look again, sleep). `native/model/check` runs it,
// and its mutants: each takes one thing away that the comments in the C code lean on, and must fail.
//
// Orders of memory are choices here. Relaxed stores are made in any order; what follows a release
// store in the C code follows it here, and what precedes it precedes it. Where the C code has two
// sequentially consistent operations of one thread on two variables, the mutant without them makes
// them in either order. Heads count modulo WRAP, which in C is 2^64.

#ifndef LANES
#define LANES 1
#endif
#ifndef SLOTS // of a lane
#define SLOTS 2
#endif
#ifndef RESTARTS // how often the source may be killed, at any moment, and started anew
#define RESTARTS 0
#endif
#ifndef EARLY // how often a sleep of a reader may end by itself
#define EARLY 0
#endif
#if SLOTS == 1
#define ENTRIES 1 // a power of two, at least SLOTS
#define WRAP 2    // a multiple of ENTRIES, and more than SLOTS
#else
#define ENTRIES 2
#define WRAP 4
#endif
#define STALE 255 // an entry that was read: the second look at it is an error

mtype = { given, taken, published, held };

typedef Lane {
  // shared memory
  byte filled_head;
  byte free_head;
  bit space_waiting;
  byte filled[ENTRIES];
  byte freed[ENTRIES];
  byte text[SLOTS]; // 0: wiped; else 1 + the head that it was published at
  // the kernel's
  bit space_event;
  // the consumer's own
  byte filled_tail;
  // known to the model only
  mtype owner[SLOTS];
  bit ended // the module gives no more
};

Lane lane[LANES];
bit data_waiting;
bit data_event;
bit killed;
byte dead;
byte took = LANES; // the lane of the slot that was popped a moment ago

// ---- a reader: bn_ring_lane_take, _publish and _wait --------------------------------------------

inline fill_and_publish() {
  // Relaxed: the text and the entry, in any order.
  if
  :: lane[me].text[slot] = 1 + head; lane[me].filled[head % ENTRIES] = slot
  :: lane[me].filled[head % ENTRIES] = slot; lane[me].text[slot] = 1 + head
#ifdef MUTANT_HEAD_BEFORE_ENTRY
  :: d_step { lane[me].owner[slot] = published; lane[me].filled_head = (head + 1) % WRAP };
     lane[me].filled[head % ENTRIES] = slot; lane[me].text[slot] = 1 + head
#endif
  fi;
  if
  :: d_step { lane[me].owner[slot] = published; lane[me].filled_head = (head + 1) % WRAP };
     seen = data_waiting
#ifdef MUTANT_PUBLISHER_WITHOUT_FENCE
  :: seen = data_waiting;
     d_step { lane[me].owner[slot] = published; lane[me].filled_head = (head + 1) % WRAP }
#endif
  fi;
  head = (head + 1) % WRAP;
  if
  :: seen -> d_step { seen = data_waiting; data_waiting = 0 } // an exchange
  :: else
  fi;
  if
  :: seen -> seen = 0; data_event = 1
  :: else
  fi;
  slot = 0
}

inline wait_for_space() {
  if
  :: lane[me].space_waiting = 1;
#ifdef MUTANT_READER_WITHOUT_SECOND_LOOK
     seen = 0
#else
     seen = (lane[me].free_head != tail)
#endif
#ifdef MUTANT_SLEEPER_WITHOUT_FENCE
  :: seen = (lane[me].free_head != tail); lane[me].space_waiting = 1
#endif
  fi;
  if
  :: seen
  :: else ->
     if
     :: lane[me].space_event -> lane[me].space_event = 0
     :: early > 0 -> early-- // the time was over
     fi
  fi;
  seen = 0;
  lane[me].space_waiting = 0
}

proctype reader(byte me) {
  byte head, tail, slot, early;
  bit seen;
  do
  :: {
       d_step { head = 0; tail = 0; slot = 0; seen = 0; early = EARLY; lane[me].ended = 0 };
       do
       :: lane[me].free_head != tail ->
          slot = lane[me].freed[tail % ENTRIES];
          d_step {
            assert(slot < SLOTS && lane[me].owner[slot] == given);
            assert(lane[me].text[slot] == 0); // nothing of what was sent is left
            lane[me].owner[slot] = taken;
            lane[me].freed[tail % ENTRIES] = STALE;
            tail = (tail + 1) % WRAP
          };
          fill_and_publish()
       :: lane[me].free_head == tail -> wait_for_space()
       :: lane[me].ended = 1 -> break
       od;
end_of_module:
       false
     } unless { killed };
     dead++; // reaped
     !killed;
     dead--
  od
}

// ---- the consumer: bn_ring_pop_burst, _release, _arm and _restart -------------------------------

inline pop_one() {
  d_step { popped = 0; i = 0; took = LANES };
  do
  :: i < LANES && !popped ->
     atomic { // one look at the head; the rest is the consumer's own
       l = (first + i) % LANES;
       i++;
       available = (lane[l].filled_head != lane[l].filled_tail)
     };
     if
     :: available ->
        slot = lane[l].filled[lane[l].filled_tail % ENTRIES];
        d_step {
          assert(slot < SLOTS && lane[l].owner[slot] == published); // so nobody holds it
          assert(lane[l].text[slot] == 1 + lane[l].filled_tail);    // whole, and in its order
          lane[l].owner[slot] = held;
          lane[l].filled[lane[l].filled_tail % ENTRIES] = STALE;
          lane[l].filled_tail = (lane[l].filled_tail + 1) % WRAP;
          popped = 1;
          took = l
        }
     :: else
     fi
  :: else -> break
  od;
#ifndef MUTANT_LANES_WITHOUT_TURNS
  first = (first + 1) % LANES;
#endif
  d_step { i = 0; l = 0; slot = 0; available = 0 }
}

inline release(whose, which) {
  d_step { l = whose; slot = which };
  if
  :: lane[l].text[slot] = 0; lane[l].freed[lane[l].free_head % ENTRIES] = slot
  :: lane[l].freed[lane[l].free_head % ENTRIES] = slot; lane[l].text[slot] = 0
#ifdef MUTANT_HEAD_BEFORE_WIPE
  :: lane[l].freed[lane[l].free_head % ENTRIES] = slot
#endif
  fi;
  d_step { lane[l].owner[slot] = given; lane[l].free_head = (lane[l].free_head + 1) % WRAP };
#ifdef MUTANT_HEAD_BEFORE_WIPE
  lane[l].text[slot] = 0;
#endif
  if
  :: lane[l].space_waiting -> d_step { asked = lane[l].space_waiting; lane[l].space_waiting = 0 }
  :: else -> asked = 0
  fi;
  if
  :: asked -> asked = 0; lane[l].space_event = 1
  :: else
  fi;
  d_step { l = 0; slot = 0 }
}

inline restart() {
  restarts--;
  killed = 1;
  dead == LANES;
  do
  :: pop_one();
     if
     :: popped
     :: else -> break
     fi
  od;
  skip; // spin lets no break end at the start of a d_step
  d_step {
    data_waiting = 0;
    l = 0;
    do
    :: l < LANES ->
       lane[l].filled_head = 0;
       lane[l].filled_tail = 0;
       lane[l].free_head = 0;
       lane[l].space_waiting = 0;
       slot = 0;
       do
       :: slot < ENTRIES ->
          lane[l].filled[slot] = STALE;
          lane[l].freed[slot] = STALE;
          slot++
       :: else -> break
       od;
       slot = 0;
       do
       :: slot < SLOTS ->
          if
          :: lane[l].owner[slot] != held ->
             lane[l].text[slot] = 0;
             lane[l].owner[slot] = given;
             lane[l].freed[lane[l].free_head % ENTRIES] = slot;
             lane[l].free_head++
          :: else
          fi;
          slot++
       :: else -> break
       od;
       l++
    :: else -> break
    od;
    took = LANES;
    l = 0;
    slot = 0
  };
#ifndef MUTANT_RESTART_WITHOUT_ASKING
  data_waiting = 1;
#endif
  killed = 0
}

// The transport lets go of slots in any order.
#define RELEASES                                                                                   \
  :: lane[0].owner[0] == held -> release(0, 0)                                                     \
  RELEASE_SECOND_SLOT                                                                              \
  RELEASE_SECOND_LANE
#if SLOTS > 1
#define RELEASE_SECOND_SLOT :: lane[0].owner[1] == held -> release(0, 1)
#else
#define RELEASE_SECOND_SLOT
#endif
#if LANES > 1
#define RELEASE_SECOND_LANE :: lane[1].owner[0] == held -> release(1, 0)
#else
#define RELEASE_SECOND_LANE
#endif

proctype consumer() {
  byte first, i, l, slot;
  byte restarts = RESTARTS;
  bit popped, available, asked;
  do
  :: pop_one();
     do
     RELEASES
     :: break
     od;
     if
     :: popped
     :: else ->
        data_waiting = 1;
#ifndef MUTANT_CONSUMER_WITHOUT_SECOND_LOOK
        i = 0;
        do
        :: atomic { i < LANES && lane[i].filled_head == lane[i].filled_tail -> i++ }
        :: else -> break
        od;
#else
        i = LANES;
#endif
        if
        :: i < LANES -> i = 0; data_waiting = 0
        :: else -> i = 0;
end_asleep:
           do
           :: data_event -> data_event = 0; break
           RELEASES
           :: restarts > 0 -> restart()
           od
        fi
     fi
  od
}

// ---- what must hold -----------------------------------------------------------------------------

#ifndef LIVENESS
// When nothing can happen any more, that is because the modules have ended: every slot that was
// published was popped, every slot is back, and nobody sleeps who has something to do.
active proctype at_rest() {
  byte l, slot;
end_never:
  timeout;
  d_step {
    do
    :: l < LANES ->
       assert(lane[l].ended);
       assert(lane[l].filled_head == lane[l].filled_tail);
       slot = 0;
       do
       :: slot < SLOTS -> assert(lane[l].owner[slot] == given); slot++
       :: else -> break
       od;
       l++
    :: else -> break
    od
  }
}
#else
// A lane whose module goes on is always served again, whatever the other lane does.
ltl flows { []<> (took == 0 || lane[0].ended) }
#endif

init {
  byte l, slot;
  atomic {
    do
    :: l < LANES ->
       slot = 0;
       do
       :: slot < SLOTS -> lane[l].owner[slot] = given; lane[l].freed[slot] = slot; slot++
       :: else -> break
       od;
       do
       :: slot < ENTRIES -> lane[l].freed[slot] = STALE; slot++
       :: else -> break
       od;
       slot = 0;
       do
       :: slot < ENTRIES -> lane[l].filled[slot] = STALE; slot++
       :: else -> break
       od;
       lane[l].free_head = SLOTS;
       run reader(l);
       l++
    :: else -> break
    od;
    run consumer()
  }
}
