/* Trees: does the pin of a root hold every object below it, and is everything freed in the end?
 *
 * Four objects. ROOT has the members MIDDLE and LEAF, MIDDLE has the member LEAF, and OTHER, which a
 * put may make while the model runs, shares LEAF:
 *
 *        ROOT ---> MIDDLE        OTHER
 *          \          \           /
 *           `--------> LEAF <----'
 *
 * The daemon puts OTHER, deletes (deep or not), frees, evicts sets of objects, loads, and is killed
 * anywhere. A reader pins one object, and then uses everything below it without a message and without
 * another pin.
 *
 * How deleting works
 *   delete   of an object without links: its word becomes DELETING. Of a linked one: it gets the flag
 *            RELEASED and stays findable. A deep delete sets DEEP, too. Nothing below is touched.
 *   free     of a DELETING object without pins is one commit: its word becomes EMPTY, every direct
 *            member loses a link and, under DEEP, gets RELEASED and DEEP; a member that is RELEASED
 *            and has no link left becomes DELETING in the same commit, and is freed by a later one.
 *            So a commit is bounded by the number of direct members, and a deep delete walks down
 *            one commit at a time. A spilled member becomes DELETING like any other, with no extent:
 *            were it EMPTY at once, its own members would keep their links for ever.
 *
 * A commit is staged whole and made valid in one step (commit.pml opens that step up), then applied:
 * links and flags, then one word after the other, then cleared; the extents go to the allocator after
 * that. Memory is sequentially consistent here, see pin.pml.
 *
 * In the code: delete() is Delete() and Doom(), free() is FreeSlot() and FreeDeferred(), check_use()
 * is what ReadHeld() needs (core/client/reader.cc), adopt() is Redo() and AdoptSlots(). Set eviction
 * and loading follow the design of spilling.
 *
 * Invariants
 *   1  Under a verified pin of an object, it and everything below it is found and has its bytes.
 *   2  links = parents that are not EMPTY; DELETING and EMPTY objects have none.
 *   3  A SEALED object has its bytes, and its members are SEALED: it can be got whole.
 *   4  An object that is RELEASED and has no link is DELETING: nothing is forgotten.
 *   5  In the end nothing is DELETING, and no pin is left.
 *   6  Under a verified pin nothing below is DELETING. (Lookups accept it all the same.)
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   READERS=2,REQUESTS=2   a reader may look while another one's pin stops an eviction
 *   holds   KILLS=2,REQUESTS=2
 *   breaks  MEMBER_MUST_BE_SEALED    1   a lookup under a root's pin insists on SEALED
 *   breaks  LINKS_DROPPED_AT_DELETE  1   members lose their link when the parent is deleted, not
 *                                        when it is freed
 *   breaks  EVICT_UNDER_PARENT       1   a member is evicted though a parent is not
 *   breaks  EVICT_COUNTS_BEFORE_D1   1   pins are counted before the words say EVICTING
 *   breaks  SPILLED_BECOMES_EMPTY    2   a spilled member goes straight to EMPTY
 *   breaks  ADOPT_FORGETS_COMMIT     2   a restarted daemon does not apply a valid commit
 *   reaches DEEP_REACHED_LEAF            a deep delete of ROOT freed LEAF
 *   reaches DEEP_SPARED_SHARED           a deep delete of ROOT is through, LEAF lives on under OTHER
 *   reaches FREED_UNLOADED               what was spilled and lost its last parent was freed
 *   reaches HELD_WHILE_DELETING          a reader used a tree whose root was DELETING
 *   reaches HELD_WHILE_EVICTING          a reader used a member that was EVICTING
 *   reaches USED_AFTER_LOAD              a reader used a member that was loaded again
 *   reaches REDONE                       a restarted daemon found a valid commit
 */
#include "check.inc"
#define DEEP_REACHED_LEAF 1
#define DEEP_SPARED_SHARED 2
#define FREED_UNLOADED 3
#define HELD_WHILE_DELETING 4
#define HELD_WHILE_EVICTING 5
#define USED_AFTER_LOAD 6
#define REDONE 7

#ifndef REQUESTS
#define REQUESTS 4 /* puts, deletes, evictions and loads together */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef READERS
#define READERS 1
#endif

#define ROOT 0
#define MIDDLE 1
#define LEAF 2
#define OTHER 3
#define OBJECTS 4
#define is_parent(p, m) \
  ((p == ROOT && (m == MIDDLE || m == LEAF)) || ((p == MIDDLE || p == OTHER) && m == LEAF))
/* Also of grandparents: here that is the same relation. */
#define is_below(m, p) is_parent(p, m)

#define EMPTY 0
#define SEALED 1
#define DELETING 2
#define EVICTING 3
#define SPILLED 4
#define MAKE_WORD(generation, state) ((generation) * 8 + (state))
#define GENERATION(word) ((word) / 8)
#define STATE(word) ((word) % 8)
#define RELEASED 1
#define DEEP 2

/* Shared memory: the slots, and the pins of all sessions. */
byte word[OBJECTS];
byte links[OBJECTS];
byte flags[OBJECTS];
byte pins[OBJECTS];
bool has_bytes[OBJECTS]; /* the location in the slot is an extent with this object's bytes */

/* `state`: the commit area. An object that a commit does not touch is not in `touched`. */
bool commit_valid;
bool touched[OBJECTS];
byte new_word[OBJECTS];
byte new_links[OBJECTS];
byte new_flags[OBJECTS];

/* The daemon's heap. */
byte object, other, chosen_set;

bool killed;
byte requests, readers_done;

#define state_of(n) STATE(word[n])
#define is_usable(n) (state_of(n) == SEALED || state_of(n) == EVICTING || state_of(n) == DELETING)
#define link_count(n) \
  ((n == MIDDLE && state_of(ROOT) != EMPTY) + \
   (n == LEAF && state_of(ROOT) != EMPTY) + \
   (n == LEAF && state_of(MIDDLE) != EMPTY) + \
   (n == LEAF && state_of(OTHER) != EMPTY))

inline check_use(m) {
#ifdef MEMBER_MUST_BE_SEALED
  INVARIANT(1, state_of(m) == SEALED);
#endif
  INVARIANT(1, is_usable(m) && has_bytes[m]);
  INVARIANT(6, state_of(m) != DELETING);
  if
  :: state_of(m) == EVICTING -> REACHED(HELD_WHILE_EVICTING)
  :: else -> skip
  fi;
  if
  :: GENERATION(word[m]) > 1 -> REACHED(USED_AFTER_LOAD)
  :: else -> skip
  fi
}

proctype Reader() {
  byte pinned, seen;

  atomic { select(pinned : 0 .. OBJECTS - 1); seen = word[pinned] }
  if
  :: STATE(seen) != SEALED -> skip
  :: else ->
     pins[pinned]++;                                               /* R1 */
     if
     :: word[pinned] == seen ->                                    /* R2 */
        /* At any moment from here to the release; that it is one moment only loses nothing. */
        atomic {
          INVARIANT(1, has_bytes[pinned]);
          if
          :: state_of(pinned) == DELETING -> REACHED(HELD_WHILE_DELETING)
          :: else -> skip
          fi;
          if
          :: is_below(MIDDLE, pinned) -> check_use(MIDDLE)
          :: else -> skip
          fi;
          if
          :: is_below(LEAF, pinned) -> check_use(LEAF)
          :: else -> skip
          fi
        }
     :: else -> skip
     fi;
     pins[pinned]--
  fi;
  atomic { pinned = 0; seen = 0; readers_done++ }
}

/* ---- the daemon ----------------------------------------------------------------------------- */

inline stage(n, a_word, a_links, some_flags) {
  touched[n] = true;
  new_word[n] = a_word;
  new_links[n] = a_links;
  new_flags[n] = some_flags
}

/* Absolute content: applying it twice is applying it once. */
inline apply_word(n) {
  if
  :: touched[n] && word[n] != new_word[n] -> word[n] = new_word[n]
  :: else -> skip
  fi
}

inline apply() {
  d_step {
    for (object : 0 .. OBJECTS - 1) {
      if
      :: touched[object] -> links[object] = new_links[object]; flags[object] = new_flags[object]
      :: else -> skip
      fi
    }
  }
  apply_word(LEAF);
  apply_word(MIDDLE);
  apply_word(ROOT);
  apply_word(OTHER);
  d_step {
    commit_valid = false;
    for (object : 0 .. OBJECTS - 1) {
      touched[object] = false;
      new_word[object] = 0;
      new_links[object] = 0;
      new_flags[object] = 0;
      /* The allocator has it, and somebody else writes into it. */
      if
      :: state_of(object) == EMPTY || state_of(object) == SPILLED -> has_bytes[object] = false
      :: else -> skip
      fi
    }
  }
}

/* One member of the object that is being freed. */
inline unlink_member(m) {
  stage(m, word[m], links[m] - 1, flags[m]);
  if
  :: flags[object] & DEEP -> new_flags[m] = RELEASED | DEEP
  :: else -> skip
  fi;
  if
  :: new_links[m] > 0 || !(new_flags[m] & RELEASED) -> skip
  :: else ->
#ifdef SPILLED_BECOMES_EMPTY
     if
     :: state_of(m) == SPILLED ->
        new_word[m] = MAKE_WORD(GENERATION(word[m]) + 1, EMPTY);
        new_flags[m] = 0
     :: else -> new_word[m] = MAKE_WORD(GENERATION(word[m]), DELETING)
     fi
#else
     new_word[m] = MAKE_WORD(GENERATION(word[m]), DELETING)
#endif
  fi
}

inline unlink_members() {
  if
  :: is_parent(object, MIDDLE) -> unlink_member(MIDDLE)
  :: else -> skip
  fi;
  if
  :: is_parent(object, LEAF) -> unlink_member(LEAF)
  :: else -> skip
  fi
}

inline put_other() {
  atomic {
    requests++;
    has_bytes[OTHER] = true;
    stage(OTHER, MAKE_WORD(GENERATION(word[OTHER]) + 1, SEALED), 0, 0);
    stage(LEAF, word[LEAF], links[LEAF] + 1, flags[LEAF])
  }
}

inline delete() {
  atomic {
    select(object : 0 .. OBJECTS - 1);
    if
    :: state_of(object) == SEALED || state_of(object) == SPILLED -> requests++
    :: else -> goto next_turn
    fi;
    if
    :: stage(object, word[object], links[object], flags[object] | RELEASED)
    :: stage(object, word[object], links[object], flags[object] | RELEASED | DEEP)
    fi;
    if
    :: links[object] == 0 ->
       new_word[object] = MAKE_WORD(GENERATION(word[object]), DELETING);
#ifdef LINKS_DROPPED_AT_DELETE
       unlink_members()
#endif
    :: else -> skip
    fi
  }
}

inline free() {
  atomic {
    select(object : 0 .. OBJECTS - 1);
    if
    :: state_of(object) == DELETING && pins[object] == 0 -> skip  /* D2; D1 made it DELETING */
    :: else -> goto next_turn
    fi;
    if
    :: object == LEAF && (flags[LEAF] & DEEP) -> REACHED(DEEP_REACHED_LEAF)
    :: object == MIDDLE && !has_bytes[MIDDLE] -> REACHED(FREED_UNLOADED)
    :: else -> skip
    fi;
    stage(object, MAKE_WORD(GENERATION(word[object]) + 1, EMPTY), 0, 0);
#ifndef LINKS_DROPPED_AT_DELETE
    unlink_members()
#endif
  }
}

#define in_set(n) ((chosen_set >> n) & 1)
#define may_go(n) (in_set(n) || state_of(n) == SPILLED || state_of(n) == EMPTY)

inline mark(n) {                                                   /* D1 */
  if
  :: in_set(n) -> word[n] = MAKE_WORD(GENERATION(word[n]), EVICTING)
  :: else -> skip
  fi
}
inline count_pins(n) {                                             /* D2 */
  if
  :: in_set(n) && pins[n] > 0 -> goto restore
  :: else -> skip
  fi
}
inline unmark(n) {
  if
  :: state_of(n) == EVICTING -> word[n] = MAKE_WORD(GENERATION(word[n]), SEALED)
  :: else -> skip
  fi
}

/* A set goes as a whole: all are marked, then all pins are counted, then one commit. */
inline evict() {
  atomic {
    select(chosen_set : 1 .. 15);
    for (object : 0 .. OBJECTS - 1) {
      if
      :: in_set(object) && state_of(object) != SEALED -> goto next_turn
      :: else -> skip
      fi
    }
#ifndef EVICT_UNDER_PARENT
    if
    :: in_set(MIDDLE) && !may_go(ROOT) -> goto next_turn
    :: in_set(LEAF) && !(may_go(ROOT) && may_go(MIDDLE) && may_go(OTHER)) -> goto next_turn
    :: else -> skip
    fi;
#endif
    requests++
  }
#ifdef EVICT_COUNTS_BEFORE_D1
  count_pins(ROOT); count_pins(OTHER); count_pins(MIDDLE); count_pins(LEAF);
  mark(ROOT); mark(OTHER); mark(MIDDLE); mark(LEAF);
#else
  mark(ROOT); mark(OTHER); mark(MIDDLE); mark(LEAF);
  count_pins(ROOT); count_pins(OTHER); count_pins(MIDDLE); count_pins(LEAF);
#endif
  atomic {
    for (object : 0 .. OBJECTS - 1) {
      if
      :: in_set(object) ->
         stage(object, MAKE_WORD(GENERATION(word[object]) + 1, SPILLED),
               links[object], flags[object])
      :: else -> skip
      fi
    }
  }
  goto commit;
restore:
  unmark(LEAF); unmark(MIDDLE); unmark(ROOT); unmark(OTHER);
  goto next_turn
}

/* One object, and only when its members are there: so a tree is loaded from below. */
inline load() {
  atomic {
    select(object : 0 .. OBJECTS - 1);
    for (other : 0 .. OBJECTS - 1) {
      if
      :: is_parent(object, other) && state_of(other) != SEALED -> goto next_turn
      :: else -> skip
      fi
    }
    if
    :: state_of(object) == SPILLED -> requests++
    :: else -> goto next_turn
    fi;
    has_bytes[object] = true;
    stage(object, MAKE_WORD(GENERATION(word[object]) + 1, SEALED), links[object], flags[object])
  }
}

inline adopt() {
  if
#ifndef ADOPT_FORGETS_COMMIT
  :: commit_valid -> REACHED(REDONE); apply()
#endif
  :: else -> skip
  fi;
  d_step {
    for (object : 0 .. OBJECTS - 1) {
      touched[object] = false; /* staged, but never valid */
      new_word[object] = 0;
      new_links[object] = 0;
      new_flags[object] = 0;
      if
      :: state_of(object) == EMPTY || state_of(object) == SPILLED -> has_bytes[object] = false
      :: else -> skip
      fi
    }
  }
  unmark(LEAF); unmark(MIDDLE); unmark(ROOT); unmark(OTHER)
}

inline check_object(n) {
  INVARIANT(2, links[n] == link_count(n));
  INVARIANT(2, links[n] == 0 || (state_of(n) != DELETING && state_of(n) != EMPTY));
  INVARIANT(3, state_of(n) != SEALED || has_bytes[n]);
  INVARIANT(3, state_of(n) != EVICTING);
  INVARIANT(4, !(flags[n] & RELEASED) || links[n] > 0 || state_of(n) == DELETING)
}

inline check() {
  check_object(ROOT); check_object(MIDDLE); check_object(LEAF); check_object(OTHER);
  INVARIANT(3, state_of(ROOT) != SEALED || state_of(MIDDLE) == SEALED);
  INVARIANT(3, state_of(ROOT) != SEALED || state_of(LEAF) == SEALED);
  INVARIANT(3, state_of(MIDDLE) != SEALED || state_of(LEAF) == SEALED);
  INVARIANT(3, state_of(OTHER) != SEALED || state_of(LEAF) == SEALED)
}

#define nothing_is_deleting \
  (state_of(ROOT) != DELETING && state_of(MIDDLE) != DELETING && \
   state_of(LEAF) != DELETING && state_of(OTHER) != DELETING)

proctype Daemon() {
  goto next_turn;
restart:
  killed = false;
  { adopt() } unless { killed -> goto restart }
next_turn:
  {
    atomic { object = 0; other = 0; chosen_set = 0; check() }
    if /* each stages a commit, or goes to next_turn */
    :: requests < REQUESTS && word[OTHER] == 0 && state_of(LEAF) == SEALED -> put_other()
    :: requests < REQUESTS -> delete()
    :: requests < REQUESTS -> evict()
    :: requests < REQUESTS -> load()
    :: !nothing_is_deleting -> free()
    :: readers_done == READERS && nothing_is_deleting -> goto done
    fi;
commit:
    commit_valid = true;
    apply()
  } unless { killed -> goto restart }
  goto next_turn;
done:
  atomic {
    for (object : 0 .. OBJECTS - 1) { INVARIANT(5, pins[object] == 0) }
    if
    :: state_of(ROOT) == EMPTY && (flags[LEAF] & DEEP) -> REACHED(DEEP_SPARED_SHARED)
    :: else -> skip
    fi
  }
}

proctype Killer() {
  byte kills;
end:
  do
  :: atomic { kills < KILLS && !killed -> killed = true; kills++ }
  od
}

init {
  byte reader;
  atomic {
    word[ROOT] = MAKE_WORD(1, SEALED);
    word[MIDDLE] = MAKE_WORD(1, SEALED);
    word[LEAF] = MAKE_WORD(1, SEALED);
    has_bytes[ROOT] = true;
    has_bytes[MIDDLE] = true;
    has_bytes[LEAF] = true;
    links[MIDDLE] = 1;
    links[LEAF] = 2;
    for (reader : 1 .. READERS) { run Reader() }
    run Daemon();
    run Killer()
  }
}
