/* The pin protocol: may the daemon take memory back while a client reads it without asking anyone?
 *
 * One daemon and two readers over two slots and two extents. The daemon seals, deletes, frees, and
 * uses slot and extent again, for another object; it may be killed once, anywhere. A reader looks an
 * object up, pins it (R1), looks at the word again (R2), loads the fields of the slot, compares the
 * id, and reads the payload in place. Every shared store goes through a store buffer (total store
 * order, as on x86-64):
 *
 *   store(me, cell, value)  into the back of the buffer of `me`; the process Memory moves the front
 *                           to memory, at once or much later
 *   load(me, cell, into)    from memory; the assertion in it shows that no process here ever loads
 *                           what still lies in its own buffer, so that need not be modelled
 *   fence(me)               waits until the buffer is empty; fetch_add and fetch_sub are fences, too
 *
 * In the code: Reader is FindAndPin() and PinSlot() (core/client/reader.h), release is Unpin();
 * delete() is the store of the word in StateFile::PutInPlace() (D1), count_pins() is Session::Pins()
 * (D2), free() is FreeSlot(), adopt() is AdoptSlots() (core/store). A word is generation * 8 + state.
 * The directory is left out: a reader looks for any id in any slot, which is the worst that a stale
 * directory can do to it. The payload of an object is its id.
 *
 * Invariants
 *   1  What a reader finds under a verified pin, from R2 to its release, is the payload of the object
 *      that it asked for.
 *   2  Under a verified pin the slot keeps its generation and its location.
 *   3  No extent belongs to two slots.
 *   4  Every pin is released once: no counter goes below zero, and none is left when the readers are
 *      gone, so that what was deferred is done in the end.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   SAME_SESSION,GETS=1           the readers are threads of one session: they share counters
 *   holds   SLOTS=1,EXTENTS=1,OBJECTS=3,DEPTH=5  all is used again twice, with longer buffers
 *   breaks  PLAIN_D1            1         D1 is a plain store: D2 overtakes it
 *   breaks  PLAIN_R1            1         R1 loads, adds, stores: R2 overtakes the store
 *   breaks  PLAIN_R1,SAME_SESSION,FENCED_R1 1  the same with a fence: another thread's pin is lost
 *   breaks  PLAIN_R1,SAME_SESSION,FENCED_R1 4  and one pin is released twice
 *   breaks  NO_R2               1         the word is not looked at again
 *   breaks  NO_ID_COMPARE       1         a stale directory cell is believed
 *   breaks  EXTENT_BEFORE_D1    1         no pin is seen, the extent is given away, then comes D1
 *   breaks  EXTENT_BEFORE_EMPTY,GETS=1 3  the same after D1: when the daemon dies in between, two
 *                                         slots own the extent
 *   reaches DEFERRED                      a delete found a pin
 *   reaches R2_FAILED                     the word changed between lookup and R2
 *   reaches ID_DIFFERS                    R2 passed, yet the slot holds another object
 *   reaches READ_OF_DELETED               payload was read while its slot was DELETING
 *   reaches READ_OF_REUSED                a reader read the object that took over slot and extent
 *   reaches ADOPTED_DELETING              a restarted daemon found a slot DELETING
 */
#include "check.inc"
#define DEFERRED 1
#define R2_FAILED 2
#define ID_DIFFERS 3
#define READ_OF_DELETED 4
#define READ_OF_REUSED 5
#define ADOPTED_DELETING 6

#ifndef GETS
#define GETS 2    /* gets of each reader */
#endif
#ifndef OBJECTS
#define OBJECTS 2 /* objects ever made; the first one is there from the start */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef EXTENTS
#define EXTENTS 2
#endif
#define READERS 2
#define DAEMON READERS
#ifndef DEPTH
#define DEPTH 3   /* entries of a store buffer */
#endif

#define EMPTY 0
#define CREATED 1
#define SEALED 2
#define DELETING 3
#define MAKE_WORD(generation, state) ((generation) * 8 + (state))
#define GENERATION(word) ((word) / 8)
#define STATE(word) ((word) % 8)

/* The cells of shared memory. */
#define WORD(slot) (slot)
#define ID(slot) (SLOTS + (slot))
#define LOCATION(slot) (2 * SLOTS + (slot))
#define PAYLOAD(extent) (3 * SLOTS + (extent))
#define PIN(session, slot) (3 * SLOTS + EXTENTS + (session) * SLOTS + (slot))
byte memory[3 * SLOTS + EXTENTS + 2 * SLOTS];

chan buffer[READERS + 1] = [DEPTH] of { byte, byte }; /* cell, value */

bool killed;
byte readers_done;

/* Scratch of single atomic steps: no part of the state. */
hidden byte moved_cell, moved_value, slot_counted;

#define no_pending_store(me, cell) !(buffer[me] ?? [eval(cell), _])

inline store(me, cell, value) { buffer[me] ! cell, value }
inline load(me, cell, into) { assert(no_pending_store(me, cell)); into = memory[cell] }
inline fence(me) { empty(buffer[me]) }
inline fetch_add(me, cell) { atomic { empty(buffer[me]); memory[cell]++ } }
inline fetch_sub(me, cell) {
  atomic { empty(buffer[me]); INVARIANT(4, memory[cell] > 0); memory[cell]-- }
}

proctype Memory() {
end:
  do
  :: atomic { buffer[DAEMON] ? moved_cell, moved_value -> memory[moved_cell] = moved_value }
  /* The readers store nothing but counters, and those with fences, unless PLAIN_R1. */
  :: atomic {
       buffer[0] ? moved_cell, moved_value;
       memory[moved_cell] = moved_value /* not reached */
     }
  :: atomic {
       buffer[1] ? moved_cell, moved_value;
       memory[moved_cell] = moved_value /* not reached */
     }
  od
}

proctype Reader(byte me; byte session) {
  byte gets, wanted, slot, word, location, value;

  do
  :: atomic { gets < GETS ->
       gets++;
       select(wanted : 1 .. OBJECTS);
       select(slot : 0 .. SLOTS - 1);
       load(me, WORD(slot), word)
     }
     if
     :: STATE(word) != SEALED -> skip
     :: else ->
#ifdef PLAIN_R1
        atomic { load(me, PIN(session, slot), value) }
        store(me, PIN(session, slot), value + 1);
#ifdef FENCED_R1
        fence(me);
#endif
#else
        fetch_add(me, PIN(session, slot));                         /* R1 */
#endif
        atomic { load(me, WORD(slot), value);                      /* R2 */
#ifdef NO_R2
          value = word;
#endif
          if
          :: value != word -> REACHED(R2_FAILED); goto release
          :: else -> skip
          fi
        }
        atomic { load(me, ID(slot), value);
#ifdef NO_ID_COMPARE
          value = wanted;
#endif
          if
          :: value != wanted -> REACHED(ID_DIFFERS); goto release
          :: else -> skip
          fi
        }
        atomic { load(me, LOCATION(slot), location) }
        /* Once is as good as often: nothing in between tells Memory or the daemon when this is. */
        atomic { load(me, PAYLOAD(location), value);
          INVARIANT(1, value == wanted);
#ifndef NO_ID_COMPARE
          INVARIANT(2, GENERATION(memory[WORD(slot)]) == GENERATION(word));
          INVARIANT(2, memory[LOCATION(slot)] == location);
#endif
          if
          :: STATE(memory[WORD(slot)]) == DELETING -> REACHED(READ_OF_DELETED)
          :: wanted > 1 && slot == 0 && location == 0 -> REACHED(READ_OF_REUSED)
          :: else -> skip
          fi
        }
release:
        fetch_sub(me, PIN(session, slot))
     fi;
     atomic { wanted = 0; slot = 0; word = 0; location = 0; value = 0 }
  :: else -> break
  od;
  atomic {
    readers_done++;
    if
    :: readers_done == READERS ->
       for (slot_counted : 0 .. 2 * SLOTS - 1) {
         INVARIANT(4, memory[PIN(0, 0) + slot_counted] == 0)
       }
    :: else -> skip
    fi
  }
}

/* ---- the daemon; the variables here are its heap ------------------------------------------- */

byte known_word[SLOTS];     /* what it stored last */
byte known_location[SLOTS];
bool is_free[EXTENTS];
byte next_id = 2;
byte slot, extent, pins, session;

#define in_state(slot, state) (STATE(known_word[slot]) == state)
#if SLOTS == 1
#define some_slot_is(state) in_state(0, state)
#else
#define some_slot_is(state) (in_state(0, state) || in_state(1, state))
#endif

inline choose_slot(state) {
  select(slot : 0 .. SLOTS - 1);
  if
  :: in_state(slot, state) -> skip
  :: else -> goto next_turn
  fi
}

inline change_word(added_generations, state) {
  known_word[slot] = MAKE_WORD(GENERATION(known_word[slot]) + added_generations, state);
  store(DAEMON, WORD(slot), known_word[slot])
}

/* A payload is written before the word says SEALED, and the fields too. */
inline seal() {
  atomic {
    choose_slot(EMPTY);
    select(extent : 0 .. EXTENTS - 1);
    if
    :: is_free[extent] -> is_free[extent] = false; known_location[slot] = extent
    :: else -> goto next_turn
    fi;
    change_word(0, CREATED)
  }
  store(DAEMON, PAYLOAD(extent), next_id);
  store(DAEMON, ID(slot), next_id);
  store(DAEMON, LOCATION(slot), extent);
  atomic { change_word(1, SEALED); next_id++ }
}

inline count_pins() {
  session = 0;
  do
  :: session < 2 ->
     atomic { load(DAEMON, PIN(session, slot), pins);              /* D2 */
       if
       :: pins > 0 -> REACHED(DEFERRED); goto next_turn
       :: else -> session++
       fi
     }
  :: else -> break
  od
}

inline give_away_too_early() {
  atomic {
    is_free[known_location[slot]] = true;
    if
    :: goto next_turn
    :: skip
    fi
  }
}

inline delete() {
  atomic { choose_slot(SEALED) }
#ifdef EXTENT_BEFORE_D1
  count_pins();
  give_away_too_early();
#endif
  atomic { change_word(0, DELETING) }                              /* D1 */
#ifndef PLAIN_D1
  fence(DAEMON)
#endif
}

inline free() {
  atomic { choose_slot(DELETING) }
  count_pins();
#ifdef EXTENT_BEFORE_EMPTY
  give_away_too_early();
#endif
  atomic { change_word(1, EMPTY); is_free[known_location[slot]] = true }
}

/* A new daemon knows only what memory says. The buffer of the dead one has long been drained. */
inline adopt() {
  atomic {
    empty(buffer[DAEMON]);
    for (extent : 0 .. EXTENTS - 1) { is_free[extent] = true }
    for (slot : 0 .. SLOTS - 1) {
      known_word[slot] = memory[WORD(slot)];
      known_location[slot] = memory[LOCATION(slot)];
      if
      :: in_state(slot, CREATED) -> change_word(1, EMPTY); empty(buffer[DAEMON])
      :: in_state(slot, EMPTY) -> skip
      :: else ->
         INVARIANT(3, is_free[known_location[slot]]);
         is_free[known_location[slot]] = false
      fi
    }
    if
    :: some_slot_is(DELETING) -> REACHED(ADOPTED_DELETING)
    :: else -> skip
    fi
  }
}

proctype Daemon() {
next_turn:
  {
    d_step { slot = 0; extent = 0; pins = 0; session = 0 }
    if
    :: next_id <= OBJECTS && some_slot_is(EMPTY) -> seal()
    :: some_slot_is(SEALED) -> delete()
    :: some_slot_is(DELETING) -> free()
    :: readers_done == READERS && !some_slot_is(DELETING) -> goto done
    fi
  } unless { killed -> killed = false; adopt() }
  goto next_turn;
done:
  skip
}

proctype Killer() { killed = true }

init {
  atomic {
    memory[WORD(0)] = MAKE_WORD(1, SEALED);
    memory[ID(0)] = 1;
    memory[PAYLOAD(0)] = 1;
    known_word[0] = memory[WORD(0)];
#if EXTENTS > 1
    is_free[1] = true;
#endif
    run Memory();
    run Reader(0, 0);
#ifdef SAME_SESSION
    run Reader(1, 0);
#else
    run Reader(1, 1);
#endif
    run Daemon();
    run Killer()
  }
}
