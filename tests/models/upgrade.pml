/* An upgrade: does the memory outlive it whatever dies, is there never more than one writer, and is the
 * program that asked for it told the truth?
 *
 *   asker     another build asks the daemon to let it take over, and waits for a daemon of a later
 *             epoch: it says "this program serves now" when that one is of its build
 *   daemon    opens the asker's program, in the table that it shares with the keeper, lists it, answers, and ends
 *             between two turns if its keeper lives
 *   keeper    waits for the daemon; when it ended so, it unlists the program and execs it, the same process:
 *             what is listed stays open. When exec fails it goes on as it is. After any other end it forgets a
 *             program that is listed, and clones another daemon, as ever (keeper.pml)
 *
 * Keeper, daemon or asker is killed at any moment, DEATHS times; keeper and daemon only while both live: from
 * the end of one daemon to the start of the next the keeper is alone, so that its death there is as two at
 * once, which may lose everything (see KILLED_ALONE; a service manager that keeps descriptors keeps them then,
 * too). ASKERS builds ask, one after the other or at once.
 *
 * In the code: Asker is TakeOver() (daemon/tool/upgrade.cc); take_request() is Server::Upgrade()
 * (daemon/hello.cc), end_turn() is on_upgrade in Daemon::Run() (daemon/daemon.cc); become_next() is
 * Keeper::BecomeNextProgram(), forget_program() and the rest of `keep` Keeper::Run() (daemon/keeper.cc). A build
 * of another layout is refused at its hello and never asks, so there is none here.
 *
 * Invariants
 *   1  At most one process writes.
 *   2  Every listed descriptor is in the table of a living process.
 *   3  In the end one keeper and one daemon live, of one build; no table holds what is not listed, and no
 *      program is listed.
 *   4  "This program serves now" is said only when a daemon of that build has served.
 *   5  What is answered, when nothing dies and no exec fails, comes about.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   DEATHS=1
 *   holds   ASKERS=1
 *   breaks  NOT_WAITED_FOR   1  the keeper execs as soon as a program is listed, while the daemon works
 *   breaks  OTHER_KEEPER,ASKERS=1,DEATHS=0  1  the asker adopts the memory as a keeper of its own
 *   breaks  ALL_CLOSED       2  exec closes what is listed
 *   breaks  ENDS_UNSEEN      2  the daemon ends without a look whether its keeper lives
 *   breaks  KILLED_ALONE     2  the keeper dies between the end of one daemon and the start of the next
 *   breaks  ENDS_ON_FAILURE  3  a keeper whose exec failed ends
 *   breaks  NOT_FORGOTTEN    3  the program of an upgrade that did not come about stays listed
 *   breaks  EPOCH_BELIEVED   4  every later epoch is taken for one's own
 *   breaks  NOT_LISTED       5  the program is open and not listed, so that nobody finds it
 *   reaches UPGRADED            a daemon of another build works
 *   reaches UPGRADED_TWICE      and then one of a third
 *   reaches EXEC_FAILED         a daemon works after an exec of the next program failed
 *   reaches FORGOTTEN           the program of an upgrade that did not come about is forgotten
 *   reaches DAEMON_SUCCEEDED    a keeper died while a program was listed, and its daemon became the keeper
 *   reaches ASKER_DIED          the asker is dead and its program serves
 *   reaches TOLD_OTHER          an asker is told that another program goes on
 */
#include "check.inc"
#define UPGRADED 1
#define UPGRADED_TWICE 2
#define EXEC_FAILED 3
#define FORGOTTEN 4
#define DAEMON_SUCCEEDED 5
#define ASKER_DIED 6
#define TOLD_OTHER 7

#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef ASKERS
#define ASKERS 2
#endif
#define TURNS 2
#define BUILDS 3 /* 0 was started; 1 and 2 ask */
#define PROCESSES 9 /* numbers from 1; never used again */

#define NONE 0 /* role of the dead */
#define KEEPER 1
#define DAEMON 2
#define ENDED 3 /* a daemon, by its own will, with the code that says why */

#define SENT 1
#define TAKEN 2
#define ANSWERED 3

/* Descriptors, one bit each: the memory, and the programs of the builds. */
#define MEMORY 1
#define PROGRAM(build) (1 << (build))

/* The kernel. */
byte role[PROCESSES];
byte build[PROCESSES];
byte table_of[PROCESSES]; /* the number of the process that had the table first */
byte table[PROCESSES];
byte started;

/* The memory. */
byte listed = MEMORY;
byte next_program;
byte epoch, serving; /* of the last daemon that began: its build */
bool writes[PROCESSES];
byte turns;

/* The askers. */
bool asker_dead[BUILDS];
byte request[BUILDS];

/* For the invariants alone. */
byte deaths;
bool failed, served[BUILDS];

#define own_table table[table_of[me]]
#define is_dead(p) (role[p] == NONE)
#define in_living_table(p) (is_dead(p) || role[p] == ENDED -> 0 : table[table_of[p]])
#define held \
  (in_living_table(1) | in_living_table(2) | in_living_table(3) | in_living_table(4) | \
   in_living_table(5) | in_living_table(6) | in_living_table(7) | in_living_table(8))
#define count(a_role) \
  ((role[1] == a_role) + (role[2] == a_role) + (role[3] == a_role) + (role[4] == a_role) + \
   (role[5] == a_role) + (role[6] == a_role) + (role[7] == a_role) + (role[8] == a_role))
#define writers \
  (writes[1] + writes[2] + writes[3] + writes[4] + writes[5] + writes[6] + writes[7] + writes[8])

inline check() {
  INVARIANT(1, writers <= 1);
  INVARIANT(2, (held & listed) == listed)
}

inline start(a_role, a_build, a_table, parent) {
  started + 1 < PROCESSES -> /* more than the protocol ever needs, see Auditor */
  started++;
  role[started] = a_role;
  build[started] = a_build;
  table_of[started] = a_table;
  run Process(started, parent)
}

/* ---- the daemon ---- */

inline begin() {
  atomic {
    epoch++;
    serving = build[me];
    served[serving] = true;
    if
    :: failed -> REACHED(EXEC_FAILED)
    :: serving > 0 && served[3 - serving] -> REACHED(UPGRADED_TWICE)
    :: serving > 0 && asker_dead[serving] -> REACHED(ASKER_DIED)
    :: serving > 0 -> REACHED(UPGRADED)
    :: else -> skip
    fi
  }
}

inline turn() {
  atomic { turns < TURNS -> turns++; writes[me] = true; check() }
  writes[me] = false
}

inline take_request(asker) {
  atomic {
    request[asker] == SENT ->
    request[asker] = TAKEN;
    program = 0;
    if
    :: asker_dead[asker] -> skip /* its program can not be opened any more: refused */
    :: else -> own_table = own_table | PROGRAM(asker); program = asker
    fi
  }
  if
  :: program == 0 -> skip
  :: else ->
     atomic { /* an older one is forgotten */
       listed = MEMORY;
       own_table = own_table & (MEMORY | PROGRAM(program))
     }
#ifndef NOT_LISTED
     atomic { listed = listed | PROGRAM(program); next_program = program; check() }
#endif
     request[asker] = ANSWERED;
     is_asked = true
  fi;
  program = 0
}

/* Its last step. What comes after the look at the keeper is KILLED_ALONE's. */
inline end_turn() {
  atomic {
#ifdef ENDS_UNSEEN
    is_asked ->
#else
    is_asked && !is_dead(parent) ->
#endif
    role[me] = ENDED;
    check();
    goto end_dead
  }
}

/* The keeper died: exec in place, of its own program. */
inline succeed_keeper() {
  atomic {
    is_dead(parent) ->
    if
    :: next_program != 0 -> REACHED(DAEMON_SUCCEEDED)
    :: else -> skip
    fi;
    table[me] = listed;
    table_of[me] = me;
    role[me] = KEEPER;
    is_asked = false;
    check();
    goto keep
  }
}

/* ---- the keeper ---- */

inline forget_program() {
#ifdef NOT_FORGOTTEN
  skip
#else
  atomic {
    if
    :: next_program != 0 -> listed = MEMORY; next_program = 0; REACHED(FORGOTTEN)
    :: else -> skip
    fi
  }
#endif
}

inline clone_daemon() {
  atomic {
    start(DAEMON, build[me], table_of[me], me);
    child = started
  }
}

inline become_next() {
  atomic {
    program = next_program;
    next_program = 0;
    listed = MEMORY;
    own_table = own_table & (listed | PROGRAM(program))
  }
  if
  :: program == 0 -> skip
  :: program != 0 ->
     failed = true;
#ifdef ENDS_ON_FAILURE
     atomic { role[me] = NONE; goto end_dead }
#endif
  :: atomic { program != 0 ->
       build[me] = program;
#ifdef ALL_CLOSED
       table[me] = 0;
#else
       table[me] = listed;
#endif
       table_of[me] = me;
       check()
     }
  fi;
  program = 0
}

proctype Process(byte me; byte parent) {
  byte child, program;
  bool is_asked;

  {
    if
    :: role[me] == DAEMON -> skip
    :: role[me] == KEEPER -> goto keep
    fi;
    begin();
end_serve:
    do
    :: turn()
    :: take_request(1)
    :: take_request(2)
    :: end_turn()
    :: succeed_keeper()
    od;
keep:
    forget_program();
    own_table = own_table & listed; /* CloseUnlisted() */
    clone_daemon();
end_wait:
    if
    :: is_dead(child) -> goto keep
    :: atomic { role[child] == ENDED -> role[child] = NONE }
       become_next();
       goto keep
#ifdef NOT_WAITED_FOR
    :: next_program != 0 -> become_next(); goto keep
#endif
    fi
  } unless { is_dead(me) -> skip };
end_dead:
  skip
}

/* ---- the rest of the world ---- */

proctype Asker(byte me) {
  byte before;
  {
    before = epoch;
#ifdef OTHER_KEEPER
    atomic { started + 1 < PROCESSES -> table[started + 1] = listed; start(KEEPER, me, started, NONE) }
#endif
    request[me] = SENT;
    if
    :: request[me] == ANSWERED ->
       atomic {
         epoch > before && count(DAEMON) > 0;
#ifdef EPOCH_BELIEVED
         INVARIANT(4, served[me])
#else
         if
         :: serving == me -> INVARIANT(4, served[me])
         :: else -> REACHED(TOLD_OTHER)
         fi
#endif
       }
    :: asker_dead[me] = true /* gives up, or its daemon died before the answer */
    fi
  } unless { asker_dead[me] -> skip }
}

proctype Killer() {
  byte victim;

  do
  :: atomic {
#ifdef KILLED_ALONE
       deaths < DEATHS && count(KEEPER) > 0 && count(DAEMON) + count(ENDED) > 0 ->
#else
       deaths < DEATHS && count(KEEPER) > 0 && count(DAEMON) > 0 ->
#endif
       select(victim : 1 .. started);
       if
       :: is_dead(victim) || role[victim] == ENDED -> skip
       :: else -> role[victim] = NONE; writes[victim] = false; deaths++; check()
       fi;
       victim = 0
     }
  :: break
  od
}

/* Runs when nobody else can. */
proctype Auditor() {
  atomic {
    timeout;
    INVARIANT(3, count(KEEPER) == 1 && count(DAEMON) == 1);
    INVARIANT(3, held == listed && listed == MEMORY && next_program == 0);
    INVARIANT(3, build[started] == serving);
    INVARIANT(5, deaths > 0 || failed || served[1] || served[2] ||
                     (request[1] != ANSWERED && request[2] != ANSWERED))
  }
}

init {
  atomic {
    table[1] = listed;
    start(KEEPER, 0, 1, NONE);
    run Asker(1);
#if ASKERS > 1
    run Asker(2);
#endif
    run Killer();
    run Auditor()
  }
}
