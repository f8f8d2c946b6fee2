/* Eviction and loading of one object: may it come back under the same generation, and when is its
 * extent free?
 *
 * One daemon, READERS readers, one slot that is watched, two extents, and another object that takes
 * any extent it is given. The daemon evicts (D1, D2, commit), loads, deletes, and is killed, KILLS
 * times, anywhere. A reader takes the location of the payload after R2, as our client does, or at any
 * time since it saw the word, as a client with a cache of (word, location) may: the generation must
 * be good for both. (A client that loads fields only after R2 would survive SAME_GENERATION.)
 *
 * Memory is sequentially consistent here: the order of single stores is the business of pin.pml. A
 * change of the slot is a commit: valid, location, word, cleared, each a step, and a restarted daemon
 * applies a valid one again. The payload is OURS or OTHERS. Names are those of core/store: EVICTING,
 * SPILLED, D1, D2, adopt; commit_valid is StateHeader::commit_lines, apply() PutInPlace().
 *
 * Invariants
 *   1  What a reader finds under a verified pin is the payload of the object.
 *   2  Whenever the word says SEALED, the payload lies where the slot says.
 *   3  No extent has two owners: the payload of the other object stays.
 *   4  When the readers are gone, no pin is left.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   READERS=1,GETS=2,EVICTIONS=2,KILLS=2
 *   breaks  SAME_GENERATION     1   spilled and loaded without a new generation
 *   breaks  EXTENT_BEFORE_WORD  2   the extent is given away while the word still says EVICTING
 *   breaks  EXTENT_BEFORE_WORD  1   and a reader sees it
 *   breaks  ADOPT_AS_SPILLED    1   a restarted daemon completes an eviction without counting pins
 *   breaks  FILE_AFTER_WORD     2   the spill file is completed after the word says SPILLED
 *   breaks  STALE_LOCATION      3   a spilled object is deleted with the location it had before
 *   reaches ABORTED                 an eviction met a pin
 *   reaches ADOPTED_EVICTING        a restarted daemon found EVICTING
 *   reaches REDONE                  a restarted daemon found a valid commit
 *   reaches READ_AFTER_LOAD         a reader pinned the object after it was spilled and loaded
 *   reaches EARLY_LOCATION_FAILED   R2 failed after an early location had become wrong
 */
#include "check.inc"
#define ABORTED 1
#define ADOPTED_EVICTING 2
#define REDONE 3
#define READ_AFTER_LOAD 4
#define EARLY_LOCATION_FAILED 5

#ifndef GETS
#define GETS 1
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef EVICTIONS
#define EVICTIONS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif

#define EMPTY 0
#define SEALED 1
#define DELETING 2
#define EVICTING 3
#define SPILLED 4
#define MAKE_WORD(generation, state) ((generation) * 8 + (state))
#define GENERATION(word) ((word) / 8)
#define STATE(word) ((word) % 8)
#ifdef SAME_GENERATION
#define NEW_GENERATION 0
#else
#define NEW_GENERATION 1
#endif

#define EXTENTS 2
#define NOWHERE EXTENTS
#define UNKNOWN 255

#define GARBAGE 0
#define OURS 1
#define OTHERS 2

/* Shared memory. */
byte word = MAKE_WORD(1, SEALED);
byte location = 0;
byte pins[READERS];
byte payload[EXTENTS];

/* `state`, and what else outlives the daemon. */
bool commit_valid;
byte commit_word, commit_location;
byte other_location = NOWHERE;    /* the slot of the other object */
bool file_complete;

/* The daemon's heap: rebuilt after a restart. */
#define NOBODY 0
byte owner[EXTENTS];
byte evictions, extent, reader;

bool killed;
byte readers_done;

proctype Reader(byte me) {
  byte gets, seen, where;

  do
  :: atomic { gets < GETS -> gets++; seen = word; where = UNKNOWN }
     if
     :: STATE(seen) != SEALED -> skip
     :: else ->
        if
        :: where = location                                  /* early */
        :: skip
        fi;
        pins[me]++;                                          /* R1 */
        if
        :: where == UNKNOWN -> where = location              /* between R1 and R2 */
        :: skip
        fi;
        atomic {
          if
          :: word == seen -> skip                            /* R2 */
          :: else ->
             if
             :: where != UNKNOWN && where != location -> REACHED(EARLY_LOCATION_FAILED)
             :: else -> skip
             fi;
             goto release
          fi
        }
        if
        :: where == UNKNOWN -> where = location              /* after R2 */
        :: else -> skip
        fi;
        atomic {
          INVARIANT(1, where < EXTENTS && payload[where] == OURS);
          if
          :: GENERATION(seen) > 1 -> REACHED(READ_AFTER_LOAD)
          :: else -> skip
          fi
        }
release:
        pins[me]--
     fi;
     atomic { seen = 0; where = 0 }
  :: else -> break
  od;
  atomic { INVARIANT(4, pins[me] == 0); readers_done++ }
}

/* ---- the daemon ----------------------------------------------------------------------------- */

inline commit(new_word, new_location) {
  atomic { commit_word = new_word; commit_location = new_location; commit_valid = true }
  apply()
}

inline apply() {
  location = commit_location;
  word = commit_word;
  atomic { commit_valid = false; commit_word = 0; commit_location = 0 }
}

inline choose_free_extent() {
  select(extent : 0 .. EXTENTS - 1);
  if
  :: owner[extent] == NOBODY -> skip
  :: else -> goto next_turn
  fi
}

inline evict() {
  atomic { evictions++; extent = location }
#ifndef FILE_AFTER_WORD
  file_complete = true;
#endif
  word = MAKE_WORD(GENERATION(word), EVICTING);              /* D1 */
  reader = 0;
  do
  :: reader < READERS ->
     if
     :: pins[reader] > 0 ->                                  /* D2 */
        atomic { word = MAKE_WORD(GENERATION(word), SEALED); REACHED(ABORTED); goto next_turn }
     :: else -> reader++
     fi
  :: else -> break
  od;
#ifdef EXTENT_BEFORE_WORD
  payload[extent] = GARBAGE;
#endif
#ifdef STALE_LOCATION
  commit(MAKE_WORD(GENERATION(word) + NEW_GENERATION, SPILLED), location);
#else
  commit(MAKE_WORD(GENERATION(word) + NEW_GENERATION, SPILLED), NOWHERE);
#endif
#ifdef FILE_AFTER_WORD
  file_complete = true;
#endif
  owner[extent] = NOBODY
}

inline load() {
  atomic { choose_free_extent(); owner[extent] = OURS; payload[extent] = GARBAGE }
  atomic {
    if
    :: file_complete -> payload[extent] = OURS
    :: else -> skip                                          /* not reached */
    fi
  }
  commit(MAKE_WORD(GENERATION(word) + NEW_GENERATION, SEALED), extent)
}

/* Also the way of a spilled member whose last parent went: DELETING, with no extent. */
inline delete() { commit(MAKE_WORD(GENERATION(word), DELETING), location) }

inline free() {
  reader = 0;
  do
  :: reader < READERS ->
     if
     :: pins[reader] > 0 -> goto next_turn
     :: else -> reader++
     fi
  :: else -> break
  od;
  extent = location;
  commit(MAKE_WORD(GENERATION(word) + 1, EMPTY), NOWHERE);
  if
  :: extent != NOWHERE -> INVARIANT(3, owner[extent] == OURS); owner[extent] = NOBODY
  :: else -> skip
  fi
}

/* Another object comes and goes; its own commits are not interesting here. */
inline put_other() {
  atomic {
    choose_free_extent();
    owner[extent] = OTHERS;
    payload[extent] = OTHERS;
    other_location = extent
  }
}
inline drop_other() { atomic { owner[other_location] = NOBODY; other_location = NOWHERE } }

inline adopt() {
  if
  :: commit_valid -> REACHED(REDONE); apply()
  :: else -> skip
  fi;
  atomic {
    if
    :: STATE(word) == EVICTING ->
       REACHED(ADOPTED_EVICTING);
#ifdef ADOPT_AS_SPILLED
       word = MAKE_WORD(GENERATION(word) + 1, SPILLED);
       location = NOWHERE
#else
       word = MAKE_WORD(GENERATION(word), SEALED)
#endif
    :: else -> skip
    fi;
    for (extent : 0 .. EXTENTS - 1) {
      owner[extent] = NOBODY;
      if
      :: location == extent && (STATE(word) == SEALED || STATE(word) == DELETING) ->
         owner[extent] = OURS
      :: else -> skip
      fi;
      if
      :: other_location == extent -> INVARIANT(3, owner[extent] == NOBODY); owner[extent] = OTHERS
      :: else -> skip
      fi
    }
  }
}

proctype Daemon() {
  goto next_turn;
restart:
  killed = false;
  { adopt() } unless { killed -> goto restart }
next_turn:
  {
    atomic {
      extent = 0;
      reader = 0;
      INVARIANT(2, STATE(word) != SEALED || payload[location] == OURS);
      INVARIANT(3, other_location == NOWHERE || payload[other_location] == OTHERS)
    }
    if
    :: STATE(word) == SEALED && evictions < EVICTIONS -> evict()
    :: STATE(word) == SPILLED -> load()
    :: STATE(word) == SEALED || STATE(word) == SPILLED -> delete()
    :: STATE(word) == DELETING -> free()
    :: other_location == NOWHERE -> put_other()
    :: other_location != NOWHERE -> drop_other()
    :: readers_done == READERS && STATE(word) != DELETING -> goto done
    fi
  } unless { killed -> goto restart }
  goto next_turn;
done:
  skip
}

proctype Killer() {
  byte kills;
end:
  do
  :: atomic { kills < KILLS && !killed -> killed = true; kills++ }
  od
}

init {
  byte number;
  atomic {
    payload[0] = OURS;
    owner[0] = OURS;
    for (number : 0 .. READERS - 1) { run Reader(number) }
    run Daemon();
    run Killer()
  }
}
