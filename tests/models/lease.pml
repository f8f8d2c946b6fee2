/* Leases: may the daemon give memory to somebody else while a client may still write into it? And does
 * it get back what a client held that died?
 *
 * One client asks for a lease, writes into it, and seals or drops it; it may die anywhere. The daemon
 * also puts objects of its own, into any extent that it takes for free; it is killed, KILLS times,
 * anywhere, and its successor knows what shared memory says. The client repeats a request whose answer
 * was lost; that a request is done once is the business of commit.pml, so here the answer of a lease is
 * in shared memory as soon as the lease is (`granted`), like the stored reply.
 *
 * A commit is one step here (commit.pml opens it up); what belongs to it is said with each. Memory is
 * sequentially consistent. The client is alive as long as something holds the lock on its pin table,
 * and only then may it write: `alive` is both. Its socket may close earlier, or be cut while it lives.
 *
 * In the code: lease() is Lease(), seal() and drop() are PutPlan::Commit() and DropLease()
 * (core/store/put.cc), reclaim() is EndSession() (core/store/sessions.cc), adopt() is AdoptSlots()
 * and AdoptSessions() (core/store/adopt.cc), the client is BlobWriter (core/client/blob_writer.cc).
 *
 * Invariants
 *   1  What the client writes into belongs to its lease and to nothing else.
 *   2  Nobody writes into a sealed object.
 *   3  No two slots have one extent.
 *   4  In the end nothing is leased, and what no object has is free.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   LEASES=3,PUTS=2,KILLS=1
 *   breaks  ANSWER_BEFORE_COMMIT   1  the client learns of its lease before it is committed
 *   breaks  ADOPT_DROPS_LEASES     1  a restarted daemon drops every lease
 *   breaks  EOF_IS_DEATH           1  a session ends with its socket
 *   breaks  EXTENT_BEFORE_WORD     3  a dropped lease's extent is given away before its word says EMPTY
 *   breaks  WRITE_AFTER_SEAL       2  the client goes on writing after it asked for the seal
 *   breaks  DEATH_UNNOTICED        4  nobody looks for the lock of a client without a socket
 *   reaches ADOPTED_LEASE             a restarted daemon kept a lease
 *   reaches RECLAIMED                 a dead client's lease came back
 *   reaches RECLAIMED_BY_SUCCESSOR    and did so with a daemon that had not given it
 *   reaches LEASE_REUSED              what was leased and dropped is an object of the daemon's
 */
#include "check.inc"
#define ADOPTED_LEASE 1
#define RECLAIMED 2
#define RECLAIMED_BY_SUCCESSOR 3
#define LEASE_REUSED 4

#ifndef LEASES
#define LEASES 2 /* of the client, one after another */
#endif
#ifndef PUTS
#define PUTS 2   /* of the daemon's own */
#endif
#ifndef KILLS
#define KILLS 2
#endif
#define SLOTS 2
#define EXTENTS 2
#define NONE 7

#define EMPTY 0
#define CREATED 1
#define SEALED 2

/* Shared memory. A slot that is CREATED is owned by the client's session. */
byte word[SLOTS];
byte location[SLOTS];
bool session_listed = true;
byte granted = NONE; /* slot of the lease that the client was, or will be, answered */

/* The client and what the kernel knows of it. */
bool alive = true, has_socket = true;
byte held = NONE;    /* slot that it believes to be its lease */
byte written = NONE; /* extent into which it may write at this moment */
byte leases;
byte request;        /* to the daemon: one at a time */
#define NOTHING 0
#define LEASE 1
#define SEAL 2
#define DROP 3
bool answered;
bool client_done;

/* The daemon's heap. */
bool is_free[EXTENTS];
bool knows_session = true, is_successor;
byte slot, extent;
bool was_leased[EXTENTS];
byte puts;

bool killed;

#define some_slot_is(state) (word[0] == state || word[1] == state)
#define has_extent(s, e) (word[s] != EMPTY && location[s] == e)

/* ---- the client ------------------------------------------------------------------------------- */

/* Between any two of its own steps: all that it may write into now. */
inline check_write() {
  INVARIANT(1, written == NONE ||
               (held != NONE && word[held] == CREATED && location[held] == written) ||
               (held != NONE && word[held] == SEALED));
  INVARIANT(2, written == NONE || held == NONE || word[held] != SEALED)
}

inline ask(what) {
  atomic { answered = false; request = what }
  answered
}

proctype Client() {
  {
    do
    :: leases < LEASES ->
       leases++;
       ask(LEASE);
       if
       :: granted == NONE -> skip                /* there is no room */
       :: atomic { granted != NONE -> held = granted; written = location[held] }
          atomic { check_write() }               /* at any time from here to the request */
#ifndef WRITE_AFTER_SEAL
          written = NONE;
#endif
          if
          :: ask(SEAL)
          :: atomic { written = NONE } ask(DROP)
          fi;
          atomic { check_write() }
          atomic { held = NONE; written = NONE; granted = NONE }
       fi
    :: break
    od;
    client_done = true
  } unless { !alive -> skip }
}

proctype KillClient() {
end:
  if
  :: atomic { alive -> alive = false; has_socket = false; written = NONE; client_done = true }
  /* The connection is cut; it connects again, to the same session. */
  :: atomic { has_socket && alive -> has_socket = false }
     atomic { alive -> has_socket = true }
  fi
}

/* ---- the daemon ------------------------------------------------------------------------------- */

inline choose_extent() {
  atomic {
    if
    :: word[0] == EMPTY -> slot = 0
    :: word[1] == EMPTY -> slot = 1
    :: else -> slot = NONE
    fi;
    if
    :: is_free[0] -> extent = 0
    :: is_free[1] -> extent = 1
    :: else -> slot = NONE
    fi
  }
}

inline take(state) {
  word[slot] = state;
  location[slot] = extent;
  is_free[extent] = false;
  INVARIANT(3, !(has_extent(0, extent) && has_extent(1, extent)))
}

inline lease() {
  choose_extent();
  if
  :: slot == NONE -> atomic { granted = NONE; request = NOTHING; answered = true }
  :: else ->
#ifdef ANSWER_BEFORE_COMMIT
     atomic { granted = slot; location[slot] = extent; answered = true }
     atomic { take(CREATED); request = NOTHING; was_leased[extent] = true }
#else
     /* The slot and the reply are one commit; the answer is read there, also when it is repeated. */
     atomic { take(CREATED); granted = slot; was_leased[extent] = true }
     atomic { request = NOTHING; answered = true }
#endif
  fi
}

/* A repeated lease is answered from the stored reply: there is one CREATED slot for it. */
#define lease_is_there (granted != NONE && word[granted] == CREATED && held == NONE)

inline give_back(s) {
#ifdef EXTENT_BEFORE_WORD
  is_free[location[s]] = true;
  if
  :: puts < PUTS -> put_own()
  :: skip
  fi;
  word[s] = EMPTY
#else
  word[s] = EMPTY;
  is_free[location[s]] = true
#endif
}

inline put_own() {
  choose_extent();
  if
  :: slot == NONE -> puts = PUTS
  :: else ->
     atomic {
       puts++;
       if
       :: was_leased[extent] -> REACHED(LEASE_REUSED)
       :: else -> skip
       fi;
       take(SEALED);
       INVARIANT(1, written != extent)
     }
  fi
}

inline reclaim() {
  atomic {
    if
    :: some_slot_is(CREATED) ->
       REACHED(RECLAIMED);
       if
       :: is_successor -> REACHED(RECLAIMED_BY_SUCCESSOR)
       :: else -> skip
       fi
    :: else -> skip
    fi
  }
  if
  :: word[0] == CREATED -> give_back(0)
  :: word[1] == CREATED -> give_back(1)
  :: else -> skip
  fi;
  atomic { session_listed = false; knows_session = false; granted = NONE }
}

#ifdef EOF_IS_DEATH
#define seems_dead (!has_socket)
#elif defined DEATH_UNNOTICED
#define seems_dead false
#else
#define seems_dead (!alive)
#endif

inline adopt() {
  atomic {
    is_successor = true;
    for (extent : 0 .. EXTENTS - 1) {
      is_free[extent] = !has_extent(0, extent) && !has_extent(1, extent)
    }
    INVARIANT(3, !(word[0] != EMPTY && word[1] != EMPTY && location[0] == location[1]));
    knows_session = session_listed;
    if
    :: some_slot_is(CREATED) && knows_session -> REACHED(ADOPTED_LEASE)
    :: else -> skip
    fi
  }
#ifdef ADOPT_DROPS_LEASES
  if
  :: word[0] == CREATED -> atomic { give_back(0) }
  :: word[1] == CREATED -> atomic { give_back(1) }
  :: else -> skip
  fi
#endif
}

proctype Daemon() {
  goto next_turn;
restart:
  killed = false;
  { adopt() } unless { killed -> goto restart }
next_turn:
  {
    atomic { slot = 0; extent = 0 }
    if
    :: request == LEASE && alive && lease_is_there -> atomic { request = NOTHING; answered = true }
    :: request == LEASE && alive && !lease_is_there && knows_session -> lease()
    :: request == SEAL && alive ->
       atomic { word[held] = SEALED }
       atomic { request = NOTHING; answered = true }
    :: request == DROP && alive ->
       if
       :: word[held] == CREATED -> give_back(held)
       :: else -> skip
       fi;
       atomic { request = NOTHING; answered = true }
    :: puts < PUTS -> put_own()
    :: knows_session && seems_dead -> reclaim()
    :: client_done && puts == PUTS && !(knows_session && seems_dead) -> goto done
    fi
  } unless { killed -> goto restart }
  goto next_turn;
done:
  atomic {
    INVARIANT(4, !some_slot_is(CREATED));
    for (extent : 0 .. EXTENTS - 1) {
      INVARIANT(4, is_free[extent] != (has_extent(0, extent) || has_extent(1, extent)))
    }
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
  atomic {
    is_free[0] = true;
    is_free[1] = true;
    run Client();
    run KillClient();
    run Daemon();
    run Killer()
  }
}
