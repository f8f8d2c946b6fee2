/* A process forks while it holds views: whose pins keep the bytes, and when may they be released?
 *
 * One object. The parent process has two threads with a handle each: both get and release, one of
 * them forks. A child reads the views that were live when it was forked, may fork a child of its own,
 * and dies or execs at any moment. The parent may be killed at any moment. The daemon deletes the
 * object, and frees it when the parent's counter is zero or when the session is dead, that is, when
 * nobody holds the lock on its pins.
 *
 * The protocol
 *   get        notes the even part of the fork epoch as the stamp of the handle, pins, and only then
 *              hands the view to the program.
 *   fork       prepare handler: makes the epoch odd, and a pipe. fork. Parent handler: makes the epoch
 *              even again, two greater than before, and closes its write end. The child keeps the
 *              write end, and so do its own children; exec and death close it.
 *   release    at once if the stamp is the present epoch; otherwise it is deferred until no pipe of a
 *              fork since then has a writer.
 *   child      releasing a handle that it inherited does nothing. What it pins, it pins in a session
 *              of its own.
 *
 * Why the epoch changes twice: another thread can get a view after the prepare handler and before the
 * fork, or release one after the fork and before the parent handler. With a change at one end only,
 * such a handle looks as if no child had it (EPOCH_ONLY_BEFORE, EPOCH_ONLY_AFTER).
 *
 * Memory is sequentially consistent here, and pinning is one step: pin.pml opens it up. What the
 * program does with its views is well ordered: a view that one thread is releasing is not one that
 * the forking thread still has. The mutex that the handlers hold is left out: nothing here needs it.
 *
 * In the code: stamp is View::stamp; prepare() and resume_parent() are Prepare() and InParent(),
 * may_be_released() is ChildrenHold() (core/client/fork.cc); release() and release_deferred() are
 * ReleaseView() and ReleaseDeferred() (core/client/view.cc); the lock is the flock on the pin table.
 *
 * Invariants
 *   1  A live view, of the parent or of anything forked from it, has its bytes.
 *   2  The counter never goes below zero: no pin is released twice.
 *   3  In the end, when the children are gone, no pin is left, though the parent lives on.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   FORKS=2,DEPTH=1,GETS=2  two forks, whose children do not fork
 *   breaks  RELEASE_NOT_DEFERRED  1   the parent releases at once what a child still reads
 *   breaks  EPOCH_ONLY_BEFORE     1   the epoch changes in the prepare handler only
 *   breaks  EPOCH_ONLY_AFTER      1   the epoch changes in the parent handler only
 *   breaks  CLOSED_BY_CHILD       1   a child closes the pipe when it forks itself
 *   breaks  CHILD_RELEASES        1   a child releases what it inherited
 *   breaks  CHILD_RELEASES        2   and so does the parent
 *   breaks  DEAD_WITH_PARENT      1   the session is taken for dead when the parent is
 *   breaks  NEVER_COLLECTED       3   what was deferred is forgotten
 *   reaches READ_BY_CHILD             a child read a view after the object was deleted
 *   reaches READ_BY_GRANDCHILD        so did a child of a child, when both others were gone
 *   reaches RELEASED_AT_ONCE          a handle from after a fork was released while the child lived
 *   reaches RELEASED_LATER            a deferred release was done
 *   reaches RECLAIMED                 the daemon reclaimed a dead session that had pins
 */
#include "check.inc"
#define READ_BY_CHILD 1
#define READ_BY_GRANDCHILD 2
#define RELEASED_AT_ONCE 3
#define RELEASED_LATER 4
#define RECLAIMED 5

#ifndef FORKS
#define FORKS 1
#endif
#ifndef GETS
#define GETS 3 /* of each thread */
#endif
#ifndef DEPTH
#define DEPTH 2 /* 1: children do not fork */
#endif
#define THREADS 2

/* The object, as the daemon has it. */
bool sealed = true;
bool has_bytes = true;

/* The kernel: who holds the lock on the pin table, and the write end of the pipe of each fork. */
byte lock_holders = 1;
byte writers[FORKS];
bool parent_has_end[FORKS];
bool parent_dead;
byte children;

/* The parent's session. A handle belongs to the thread of its number. */
byte pins;
byte epoch;
byte forks;
bool live[THREADS];  /* the program has the view */
byte stamp[THREADS]; /* the epoch in the handle */
bool deferred[THREADS];
byte threads_done;

#define even_part(number) ((number) - (number) % 2)

/* Fork number n happens at the epoch 2n + 1: what has a stamp up to 2n was there before it. */
#define is_waited_for(n, a_stamp) (n >= (a_stamp) / 2 && writers[n] > 0)
#if FORKS == 1
#define may_be_released(a_stamp) !is_waited_for(0, a_stamp)
#else
#define may_be_released(a_stamp) (!is_waited_for(0, a_stamp) && !is_waited_for(1, a_stamp))
#endif

inline unpin() {
  INVARIANT(2, pins > 0);
  pins--
}

proctype Child(byte number; byte depth; bool view_0; bool view_1) {
  bool has_forked;

  do
  :: atomic {
       INVARIANT(1, has_bytes || !(view_0 || view_1));
       if
       :: (view_0 || view_1) && !sealed && depth == 1 -> REACHED(READ_BY_CHILD)
       :: (view_0 || view_1) && !sealed && depth == 2 && lock_holders == 1 ->
          REACHED(READ_BY_GRANDCHILD)
       :: else -> skip
       fi
     }
  :: atomic { depth < DEPTH && !has_forked ->
       has_forked = true;
       children++;
       lock_holders++;
#ifndef CLOSED_BY_CHILD
       writers[number]++;
#endif
       run Child(number, depth + 1, view_0, view_1)
     }
#ifdef CHILD_RELEASES
  :: atomic { view_0 -> view_0 = false; unpin() }
#endif
  :: break
  od;
  /* Death or exec. */
  atomic {
    children--;
    lock_holders--;
#ifdef CLOSED_BY_CHILD
    if
    :: depth == 1 -> writers[number]--
    :: else -> skip
    fi;
#else
    writers[number]--;
#endif
    has_forked = false;
    view_0 = false;
    view_1 = false
  }
}

/* ---- the parent ----------------------------------------------------------------------------- */

inline get() {
  atomic { gets++; stamp[me] = even_part(epoch) }
  atomic {
    if
    :: sealed -> pins++
    :: else -> stamp[me] = 0; goto next
    fi
  }
  live[me] = true
}

inline release() {
  atomic {
    INVARIANT(1, has_bytes);
    live[me] = false
  }
#ifdef RELEASE_NOT_DEFERRED
  at_once = true;
#else
  at_once = (stamp[me] == epoch);
#endif
  atomic {
    if
    :: at_once ->
       unpin();
       if
       :: stamp[me] > 0 && children > 0 -> REACHED(RELEASED_AT_ONCE)
       :: else -> skip
       fi
    :: else -> deferred[me] = true
    fi;
    at_once = false
  }
}

inline release_deferred() {
  atomic {
    deferred[me] && may_be_released(stamp[me]) ->
#ifndef NEVER_COLLECTED
    unpin();
#endif
    deferred[me] = false;
    REACHED(RELEASED_LATER)
  }
}

inline make_pipe() { atomic { writers[forks] = 1; parent_has_end[forks] = true } }

inline prepare() {
#ifdef EPOCH_ONLY_BEFORE
  epoch = epoch + 2;
#elif !defined EPOCH_ONLY_AFTER
  epoch++;
#endif
  make_pipe()
}

inline resume_parent() {
#ifdef EPOCH_ONLY_AFTER
  epoch = epoch + 2;
#elif !defined EPOCH_ONLY_BEFORE
  epoch++;
#endif
  atomic { writers[forks]--; parent_has_end[forks] = false; forks++ }
}

inline fork() {
  prepare();
  atomic {
    children++;
    lock_holders++;
    writers[forks]++;
    run Child(forks, 1, live[0], live[1])
  }
  resume_parent()
}

proctype Thread(byte me; bool forks_too) {
  byte gets;
  bool at_once;

  {
next:
    do
    :: gets < GETS && !live[me] && !deferred[me] -> get()
    :: live[me] -> release()
    :: forks_too && forks < FORKS -> fork()
    :: release_deferred()
    :: !live[me] && !deferred[me] -> break
    od;
    atomic {
      threads_done++;
      if
      :: threads_done == THREADS -> INVARIANT(3, pins == 0)
      :: else -> skip
      fi
    }
  } unless { parent_dead -> skip }
}

proctype KillParent() {
  byte n;
end:
  atomic {
    parent_dead = true;
    for (n : 0 .. FORKS - 1) {
      writers[n] = writers[n] - parent_has_end[n];
      parent_has_end[n] = false
    }
#ifdef DEAD_WITH_PARENT
    lock_holders = 0
#else
    lock_holders--
#endif
  }
}

/* The parent lives on when its threads are done: so this ends only if every pin was released. */
proctype Daemon() {
  sealed = false;
  atomic {
    pins == 0 || lock_holders == 0 ->
    if
    :: pins > 0 -> REACHED(RECLAIMED)
    :: else -> skip
    fi;
    has_bytes = false
  }
}

init {
  atomic {
    run Thread(0, true);
    run Thread(1, false);
    run Daemon();
    if
    :: run KillParent()
    :: skip
    fi
  }
}
