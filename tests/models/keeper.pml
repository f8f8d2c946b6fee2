/* Keeper and daemon: does the memory outlive the death of any one process, and is there never more
 * than one writer?
 *
 * The keeper clones the daemon, and both share one descriptor table. In a turn the daemon may make a
 * memfd, and then lists it in the state file. Any process is killed at any moment, DEATHS times, but
 * the next time only after the last death was repaired: two at once may lose everything. A keeper may
 * also be stopped, which is not death.
 *
 *   daemon dies   the keeper is told (SIGCHLD), closes what is not listed, and clones another
 *   keeper dies   the daemon sees it (pidfd) between two turns and execs itself as keeper: the same
 *                 process, with a table of its own that has the listed descriptors. Then it clones a
 *                 daemon. When exec fails, the daemon goes on as before.
 *
 * In the code: clone_daemon() and keep are Keeper::Run(), close_unlisted() is CloseUnlisted(),
 * succeed_keeper() is Daemon::BecomeKeeper() and ExecKeeper() (daemon/keeper.cc, daemon/daemon.cc);
 * listed is StateFile::List(). A table is the set of the memfds in it, one bit each. A keeper that
 * execs another binary is in upgrade.pml.
 *
 * Invariants
 *   1  At most one process writes.
 *   2  Every listed memfd is in the table of a living process.
 *   3  In the end one keeper and one daemon live, and no table holds a memfd that is not listed.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   breaks  NEW_KEEPER_BESIDE_DAEMON  1  the daemon starts another process as keeper, and works on
 *   breaks  STOPPED_IS_DEAD,DEATHS=1  1  a stopped keeper is taken for dead
 *   breaks  SEPARATE_TABLES           2  the daemon is cloned with a copy of the table
 *   breaks  NOT_CLOSED                3  a keeper does not close what is not listed
 *   reaches DAEMON_CLONED_AGAIN          a daemon died, and another daemon of the same keeper works
 *   reaches DAEMON_BECAME_KEEPER         a keeper died, and a daemon of the one that followed works
 *   reaches EXEC_FAILED                  a daemon works on after its keeper died and exec failed
 *   reaches UNLISTED_CLOSED              a memfd was made, not listed, and closed by the keeper
 */
#include "check.inc"
#define DAEMON_CLONED_AGAIN 1
#define DAEMON_BECAME_KEEPER 2
#define EXEC_FAILED 3
#define UNLISTED_CLOSED 4

#ifndef DEATHS
#define DEATHS 3
#endif
#define TURNS 3
#define MEMFDS 3
#define PROCESSES 7 /* numbers from 1; never used again */

#define NONE 0      /* role of the dead */
#define KEEPER 1
#define DAEMON 2

/* The kernel. */
byte role[PROCESSES];
byte table_of[PROCESSES]; /* the number of the process that had the table first */
byte table[PROCESSES];
byte started;
bool stopped;             /* process 1, the first keeper */

/* The memory. */
byte listed = 1;
bool writes[PROCESSES];
byte turns, memfds = 1;

#define is_dead(p) (role[p] == NONE)
#define in_living_table(p) (is_dead(p) -> 0 : table[table_of[p]])
#define held \
  (in_living_table(1) | in_living_table(2) | in_living_table(3) | \
   in_living_table(4) | in_living_table(5) | in_living_table(6))
#define count(a_role) \
  ((role[1] == a_role) + (role[2] == a_role) + (role[3] == a_role) + (role[4] == a_role) + \
   (role[5] == a_role) + (role[6] == a_role))
#define writers (writes[1] + writes[2] + writes[3] + writes[4] + writes[5] + writes[6])

inline check() {
  INVARIANT(1, writers <= 1);
  INVARIANT(2, (held & listed) == listed)
}

inline start(a_role, a_table, parent) {
  started + 1 < PROCESSES -> /* more than the protocol ever needs, see Auditor */
  started++;
  role[started] = a_role;
  table_of[started] = a_table;
  run Process(started, parent)
}

/* clone(CLONE_FILES) */
inline clone_daemon() {
  atomic {
#ifdef SEPARATE_TABLES
    table[started + 1] = table[table_of[me]];
    start(DAEMON, started, me);
#else
    start(DAEMON, table_of[me], me);
#endif
    child = started
  }
}

inline turn() {
  atomic {
    turns < TURNS ->
    turns++;
    writes[me] = true;
    check();
    if
    :: exec_failed -> REACHED(EXEC_FAILED)
    :: parent == 1 && me > 2 -> REACHED(DAEMON_CLONED_AGAIN)
    :: parent > 1 -> REACHED(DAEMON_BECAME_KEEPER)
    :: else -> skip
    fi
  }
  if
  :: atomic { memfds < MEMFDS ->
       made = 1 << memfds;
       memfds++;
       table[table_of[me]] = table[table_of[me]] | made
     }
     atomic { listed = listed | made; made = 0; check() }
  :: skip
  fi;
  writes[me] = false
}

inline close_unlisted() {
#ifdef NOT_CLOSED
  skip
#else
  atomic {
    if
    :: table[table_of[me]] != listed -> table[table_of[me]] = listed; REACHED(UNLISTED_CLOSED)
    :: else -> skip
    fi
  }
#endif
}

#ifdef STOPPED_IS_DEAD
#define seems_dead(p) (is_dead(p) || (p == 1 && stopped))
#else
#define seems_dead(p) is_dead(p)
#endif

/* The keeper died. */
inline succeed_keeper() {
  atomic {
    seems_dead(parent) ->
#ifdef NEW_KEEPER_BESIDE_DAEMON
    start(KEEPER, table_of[me], me);
    parent = started
#else
    if
    :: !exec_failed -> exec_failed = true
    :: table[me] = listed; /* exec in place: a table of its own, without what is not listed */
       table_of[me] = me;
       role[me] = KEEPER;
       check();
       goto keep
    fi
#endif
  }
}

proctype Process(byte me; byte parent) {
  byte child, made;
  bool exec_failed;

  {
    if
    :: role[me] == DAEMON -> skip
    :: role[me] == KEEPER -> goto keep
    fi;
end_serve:
    do
    :: turn()
    :: succeed_keeper()
    od;
keep:
    close_unlisted();
    clone_daemon();
end_wait:
    if
    :: is_dead(child) && !(me == 1 && stopped) -> goto keep
    fi
  } unless { is_dead(me) -> skip }
}

/* Kills any one process when nothing is left to repair. */
proctype Killer() {
  byte deaths, victim;

  do
  :: atomic {
       deaths < DEATHS && count(KEEPER) > 0 && count(DAEMON) > 0 ->
       select(victim : 1 .. started);
       if
       :: is_dead(victim) -> skip
       :: else -> role[victim] = NONE; writes[victim] = false; deaths++; check()
       fi;
       victim = 0
     }
  :: break
  od
}

proctype Stopper() {
  stopped = true;
  stopped = false
}

/* Runs when nobody else can. */
proctype Auditor() {
  atomic {
    timeout;
    INVARIANT(3, count(KEEPER) == 1 && count(DAEMON) == 1);
    INVARIANT(3, held == listed)
  }
}

init {
  atomic {
    table[1] = listed;
    start(KEEPER, 1, NONE);
    run Killer();
    run Stopper();
    run Auditor()
  }
}
