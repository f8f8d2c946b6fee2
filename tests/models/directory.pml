/* The directory: may a reader that probes it, while the daemon inserts, takes out, moves cells up and
 * goes over to larger tables, be told something wrong, or look at memory that there is not?
 *
 * One daemon and one reader. A table has 2 or 4 cells and probing is linear; all tables lie in one file
 * of CELLS cells, a new one beside the one in use, over what older ones had. The daemon seals objects
 * (their slots may need the index to grow first), deletes them, and grows the table. The reader looks
 * for one key: it loads which table is in use, probes cell by cell, looks at the slot that a cell names,
 * and, when nothing was found, once more if the table has changed; then it asks the daemon.
 *
 * All keys have one tag and begin at the first cell, which is the worst there is. Pins are left out:
 * pin.pml allows any answer of a lookup. Memory is sequentially consistent; where the code needs an
 * order it is a release or acquire of the cell, the table or the capacity, and said there.
 *
 * In the code: Reader is Probe() and ProbeTables() (core/client/reader.h) and FindSlow()
 * (core/client/find_slow.h); insert() is Put(), take_out() is Erase(), grow() is BeginTable(), InsertAll()
 * and Publish() (core/shm/directory.*), grow_index() is SlotTable::Grow(). A slot's word is 0 (EMPTY) or
 * the key that is SEALED in it.
 *
 * Invariants
 *   1  No slot is touched that has no memory yet.
 *   2  What a lookup finds is the object that it was for, sealed at some moment during the lookup.
 *   3  An object that was there during the whole lookup is found, by the reader or by the daemon.
 *   4  Whenever the daemon has ended a change it finds every sealed object, and nothing else.
 *   5  The table in use never overlaps the one that is being filled.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   LOOKUPS=2,CHANGES=4
 *   breaks  CELL_BEFORE_CAPACITY,NO_CAPACITY_CHECK 1  the cell comes before the slot's memory
 *   breaks  NO_ID_COMPARE          2  a cell is believed
 *   breaks  MISS_IS_FINAL          3  the daemon is not asked
 *   breaks  HOLES_STAY             4  a cell is taken out, and those behind it do not move up
 *   breaks  TABLE_OVER_TABLE       5  a new table is placed without looking where the old one lies
 *   reaches FOUND_IN_OLD_TABLE        the object was found in a table that was not in use any more
 *   reaches HIDDEN_BY_SHIFT           the reader missed an object that was there, and the daemon had it
 *   reaches READ_ANOTHERS_TABLE       cells of a newer table were read at an older one's place
 *   reaches FOUND_IN_SECOND_PROBE     the table was replaced, and the second look found it
 */
#include "check.inc"
#define FOUND_IN_OLD_TABLE 1
#define HIDDEN_BY_SHIFT 2
#define READ_ANOTHERS_TABLE 3
#define FOUND_IN_SECOND_PROBE 4

#ifndef LOOKUPS
#define LOOKUPS 1
#endif
#ifndef CHANGES
#define CHANGES 5
#endif
#define SLOTS 3
#define CELLS 8

/* Shared memory. */
byte word[SLOTS];      /* 0, or the key */
byte capacity = 2;     /* slots that readers may look at */
byte cells[CELLS];     /* 0, or slot + 1 */
byte table_at = 4, table_size = 2;
byte tables;           /* how many were published before: known to the invariants only */
byte table_of_cell[CELLS];

/* The daemon's heap. */
byte allocated = 2;    /* slots that have memory */
byte filling_at, filling_size;
byte changes, slot, i, j, key, limit;
bool found;

/* Known to the invariants: keys that were sealed during the whole lookup, or at some moment of it. */
bool always[SLOTS + 1], ever[SLOTS + 1];
bool reader_done;

#define entries ((word[0] != 0) + (word[1] != 0) + (word[2] != 0))

/* ---- the reader -------------------------------------------------------------------------------- */

inline probe() {
  d_step { at = table_at; size = table_size; mine = tables; step = 0 }
  do
  :: step < size && seen == 0 ->
     atomic {
       cell = cells[at + step];
       if
       :: cell != 0 && table_of_cell[at + step] > mine -> REACHED(READ_ANOTHERS_TABLE)
       :: else -> skip
       fi
     }
     if
     :: cell == 0 -> break
#ifndef NO_CAPACITY_CHECK
     :: cell != 0 && cell - 1 >= capacity ->
        step++ /* not reached */
#endif
     :: else ->
        atomic {
          INVARIANT(1, cell - 1 < allocated);
          if
#ifdef NO_ID_COMPARE
          :: word[cell - 1] != 0 -> seen = wanted; INVARIANT(2, word[cell - 1] == wanted)
#else
          :: word[cell - 1] == wanted -> seen = wanted
#endif
          :: else -> skip
          fi;
          step++
        }
     fi
  :: else -> break
  od;
  cell = 0
}

proctype Reader() {
  byte lookups, wanted, at, size, step, cell, seen, mine, first;

  do
  :: lookups < LOOKUPS ->
     atomic {
       lookups++;
       select(wanted : 1 .. SLOTS);
       seen = 0;
       for (first : 1 .. SLOTS) {
         always[first] = (word[first - 1] == first);
         ever[first] = (word[first - 1] == first)
       }
       first = tables
     }
     probe();
     if
     :: seen == 0 && tables != first ->
        probe();
        if
        :: seen != 0 -> REACHED(FOUND_IN_SECOND_PROBE)
        :: else -> skip
        fi
     :: seen != 0 && mine != tables -> REACHED(FOUND_IN_OLD_TABLE)
     :: else -> skip
     fi;
     atomic {
       INVARIANT(2, seen == 0 || ever[wanted]);
#ifdef MISS_IS_FINAL
       INVARIANT(3, seen != 0 || !always[wanted]);
#else
       if
       /* The daemon answers from its heap, between two changes: here, from the slots. */
       :: seen == 0 && always[wanted] -> REACHED(HIDDEN_BY_SHIFT); INVARIANT(3, word[wanted - 1] == wanted)
       :: else -> skip
       fi;
#endif
       wanted = 0; at = 0; size = 0; step = 0; seen = 0; mine = 0; first = 0
     }
  :: else -> break
  od;
  reader_done = true
}

/* ---- the daemon -------------------------------------------------------------------------------- */

inline put_cell(where, size, a_slot) {
  i = where;
  do
  :: cells[i] != 0 -> i++
  :: else -> break
  od;
  INVARIANT(4, i < where + size);
  atomic { cells[i] = a_slot + 1; table_of_cell[i] = tables + (where != table_at) }
}

/* A larger table, filled before readers are shown it. Old cells stay as they are until somebody writes
 * there; zeros would be a miss, too. */
inline grow() {
  atomic {
    filling_size = 4;
#ifdef TABLE_OVER_TABLE
    filling_at = 2;
#else
    if
    :: table_at >= 4 -> filling_at = 0
    :: else -> filling_at = 4
    fi;
#endif
    INVARIANT(5, filling_at + filling_size <= table_at || table_at + table_size <= filling_at)
  }
  j = 0;
  do
  :: j < filling_size -> cells[filling_at + j] = 0; j++
  :: else -> break
  od;
  j = 0;
  do
  :: j < SLOTS ->
     if
     :: word[j] != 0 -> put_cell(filling_at, filling_size, j)
     :: else -> skip
     fi;
     j++
  :: else -> break
  od;
  atomic { table_at = filling_at; table_size = filling_size; tables++; filling_at = 0; filling_size = 0 }
}

/* First the memory, then what says that it is there, then the slot, then the cell. */
inline grow_index() {
#ifdef CELL_BEFORE_CAPACITY
  skip
#else
  allocated = SLOTS;
  capacity = SLOTS
#endif
}

inline seal() {
  atomic {
    select(slot : 0 .. SLOTS - 1);
    if
    :: word[slot] != 0 -> goto next_turn
    :: else -> changes++
    fi
  }
  if
  :: slot >= allocated -> grow_index()
  :: else -> skip
  fi;
  atomic { word[slot] = slot + 1; ever[slot + 1] = true }
  put_cell(table_at, table_size, slot);
#ifdef CELL_BEFORE_CAPACITY
  allocated = SLOTS;
  capacity = SLOTS
#endif
}

/* What lies behind the hole moves up, one after another: a reader may miss it meanwhile. */
inline take_out() {
  atomic {
    select(slot : 0 .. SLOTS - 1);
    if
    :: word[slot] == 0 -> goto next_turn
    :: else -> changes++; word[slot] = 0; always[slot + 1] = false
    fi
  }
  i = table_at;
  limit = table_at + table_size;
  do
  :: i < limit && cells[i] != slot + 1 -> i++
  :: else -> break
  od;
  INVARIANT(4, i < limit);
#ifdef HOLES_STAY
  cells[i] = 0
#else
  do
  :: i + 1 < limit && cells[i + 1] != 0 -> cells[i] = cells[i + 1]; i++
  :: else -> cells[i] = 0; break
  od
#endif
}

inline check() {
  for (key : 1 .. SLOTS) {
    found = false;
    i = table_at;
    limit = table_at + table_size;
    do
    :: i < limit && cells[i] != 0 ->
       if
       :: cells[i] == key -> found = true
       :: else -> skip
       fi;
       i++
    :: else -> break
    od;
    INVARIANT(4, found == (word[key - 1] == key))
  }
  key = 0; i = 0; j = 0; limit = 0; slot = 0; found = false
}

proctype Daemon() {
next_turn:
  atomic { check() }
  if
  /* Load at most one half in the code; here a table is never full, and grows before. */
  :: changes < CHANGES && entries + 1 < table_size -> seal()
  :: changes < CHANGES -> take_out()
  :: changes < CHANGES && entries > 0 -> changes++; grow()
  :: changes == CHANGES && reader_done -> goto done
  fi;
  goto next_turn;
done:
  skip
}

init {
  atomic {
    word[0] = 1;
    cells[4] = 1;
    run Reader();
    run Daemon()
  }
}
