/* The redo commit and the stored replies: is every request done once, whole, or not at all?
 *
 * One client sends numbered requests, up to WINDOW of them at a time: put a tree (a member and its
 * root, two ids), or delete it. The daemon answers each by one commit. It is killed, or the
 * connection is cut, FAULTS times, anywhere; what was on its way is lost, or comes late and out of
 * order. The client then connects again and repeats what was not answered, once, under the same
 * number; then it gives up ("unknown"), and counts the number as answered.
 *
 * A commit is a list of lines with absolute content in the state file: the reply, the next id, the
 * slots. It is written line by line, made valid by one store, applied line by line (of a slot first
 * the id, then the word; members before their root), cleared. A restarted daemon applies a valid list
 * again. Stores are in program order here, as on x86-64; elsewhere the store that makes the list
 * valid needs release order.
 *
 * In the code: valid_lines is StateHeader::commit_lines, apply() is PutInPlace(), adopt() is Redo()
 * (core/shm/state_file.cc); decide() begins with Repeated() (core/store/commit.cc); the client's
 * lowest and next are Connection::lowest_ and next_number_. A result is the id of a root, or DONE,
 * NO_ROOM, NOT_FOUND, REFUSED.
 *
 * The code stores no reply to a request that failed, and closes the older connection of a session
 * when it comes on a new one. ERRORS_NOT_STORED says why both belong together.
 *
 * Invariants
 *   1  A request takes effect at most once.
 *   2  No id is given twice.
 *   3  An answer that comes tells what the request did, and the request does nothing else later.
 *   4  When a root is SEALED so is its member, with the id that belongs to it: at every moment, daemon
 *      or none.
 *   5  Between two requests, and after every restart, slots, next id and reply are those of the last
 *      commit that was valid: nothing is half done.
 *
 * Expected: `holds` is searched whole, `breaks` must break that invariant, `reaches` that event.
 *   holds   -
 *   holds   WINDOW=1,FAULTS=3,REQUESTS=4
 *   holds   ERRORS_NOT_STORED,OLD_CONNECTION_CLOSED
 *   breaks  ERRORS_NOT_STORED      3   the client was told of a failure, then a late copy is done
 *   breaks  REPLY_NOT_IN_COMMIT    1   the reply is stored after the commit
 *   breaks  NO_STORED_REPLY        1   a repeated request is done again
 *   breaks  WINDOW_NOT_CHECKED     1   a late copy is taken for new: its reply cell is in use again
 *   breaks  NEXT_ID_NOT_IN_COMMIT  2   a restarted daemon counts on from the highest id it finds
 *   breaks  VALID_BEFORE_LINES     5   the list is made valid before it is complete
 *   breaks  NOT_CLEARED            5   the next list is written while the last one is still valid
 *   breaks  ROOT_FIRST             4   the root is sealed before its member
 *   breaks  WORD_BEFORE_ID         4   a slot's word is stored before its other fields
 *   breaks  ID_CLEARED_WITH_WORD   4   a delete clears the other fields, which come before the word
 *   reaches REDONE                     a restarted daemon applied a list again
 *   reaches ANSWERED_FROM_CELL         a repeat was answered from the stored reply, after a restart
 *   reaches REFUSED_LATE               a late copy was refused
 *   reaches PUT_AGAIN                  a tree was put, deleted, and put again after a restart
 */
#include "check.inc"
#define REDONE 1
#define ANSWERED_FROM_CELL 2
#define REFUSED_LATE 3
#define PUT_AGAIN 4

#ifndef WINDOW
#define WINDOW 2
#endif
#ifndef REQUESTS
#define REQUESTS 3
#endif
#ifndef FAULTS
#define FAULTS 2
#endif

#define PUT 1
#define DELETE 2
#define NOTHING 3

#define DONE 100
#define NO_ROOM 101
#define NOT_FOUND 102
#define REFUSED 103

/* The index. */
#define MEMBER 0
#define ROOT 1
bool sealed[2];
byte id[2];

/* `state`. The list is valid when valid_lines is not zero. */
byte next_id = 1;
byte cell_number[WINDOW];
byte cell_result[WINDOW];
#define TO_MEMBER MEMBER
#define TO_ROOT ROOT
#define TO_NEXT_ID 2
#define TO_CELL 3
#define TO_NOWHERE 4
#define LINES 4
byte valid_lines;
byte line_to[LINES];
byte line_first[LINES];  /* a slot's id, the next id, a number */
byte line_second[LINES]; /* a slot's word, a result */

/* The sockets, messages of old connections included; sorted, so that order makes no states. */
chan to_daemon = [WINDOW * 2] of { byte, byte, byte }; /* number, kind, connection */
chan to_client = [WINDOW] of { byte, byte };           /* number, result */
byte connection;
bool killed;

/* What happened: known to the invariants only. */
bool was_restarted;
byte effects[REQUESTS + 1];
byte told[REQUESTS + 1]; /* the answer that the client got */
byte true_result[REQUESTS + 1];
byte last_request;
byte last_id;
byte true_root;

#ifdef ERRORS_NOT_STORED
#define is_unstored(result) (result == NO_ROOM || result == NOT_FOUND)
#else
#define is_unstored(result) false
#endif

/* ---- the client ----------------------------------------------------------------------------- */

proctype Client() {
  byte kind[REQUESTS + 1];
  byte sends[REQUESTS + 1];
  byte sent_on[REQUESTS + 1];
  bool answered[REQUESTS + 2];
  byte lowest = 1; /* number that is not answered */
  byte next = 1;   /* number to send */
  byte number, result;

  do
  :: atomic { to_client ? number, result ->
       INVARIANT(3, result == true_result[number] || (answered[number] && result == REFUSED) ||
                    (is_unstored(result) && effects[number] == 0));
       answered[number] = true;
       told[number] = result;
       number = 0;
       result = 0
     }
  :: atomic { answered[lowest] ->
       kind[lowest] = 0;
       sends[lowest] = 0;
       sent_on[lowest] = 0;
       lowest++
     }
  :: atomic { next <= REQUESTS && next < lowest + WINDOW ->
       if
       :: kind[next] = PUT
       :: kind[next] = DELETE
       fi;
       to_daemon !! next, kind[next], connection;
       sends[next] = 1;
       sent_on[next] = connection;
       next++
     }
  :: atomic { lowest < next ->
       select(number : lowest .. next - 1);
       if
       :: answered[number] || sent_on[number] == connection -> skip
       :: else ->
          if
          :: sends[number] == 1 ->
             to_daemon !! number, kind[number], connection;
             sends[number] = 2;
             sent_on[number] = connection
          :: else -> answered[number] = true
          fi
       fi;
       number = 0
     }
  :: lowest > REQUESTS -> break
  od;
end:
  do
  :: to_client ? _, _
  od
}

/* A new connection. What the daemon has not yet read from the old one is lost, or read later. */
inline disconnect() {
  faults++;
  connection++;
  do
  :: to_client ? _, _
  :: empty(to_client) -> break
  od;
  unread = len(to_daemon);
  do
  :: unread > 0 ->
     unread--;
     to_daemon ? number, kind, from;
     if
#ifndef OLD_CONNECTION_CLOSED
     :: to_daemon !! number, kind, from
#endif
     :: skip
     fi
  :: else -> break
  od;
  number = 0;
  kind = 0;
  from = 0
}

proctype Faults() {
  byte faults, unread, number, kind, from;
end:
  do
  :: atomic { faults < FAULTS && !killed -> disconnect(); killed = true }
  :: atomic { faults < FAULTS && !killed -> disconnect() }
  od
}

/* ---- the daemon ----------------------------------------------------------------------------- */

#define cell (number % WINDOW)

/* What the request will do; the repeat of a request is not done. */
inline decide() {
#ifndef NO_STORED_REPLY
  if
  :: cell_number[cell] == number ->
     result = cell_result[cell];
     if
     :: was_restarted -> REACHED(ANSWERED_FROM_CELL)
     :: else -> skip
     fi;
     goto answer
  :: else -> skip
  fi;
#endif
#ifndef WINDOW_NOT_CHECKED
  if
  :: cell_number[cell] > number -> result = REFUSED; REACHED(REFUSED_LATE); goto answer
  :: else -> skip
  fi;
#endif
  if
  :: kind == PUT && !sealed[ROOT] -> result = next_id + 1; lines = 4
  :: kind == PUT && sealed[ROOT] -> result = NO_ROOM; kind = NOTHING; lines = 1
  :: kind == DELETE && sealed[ROOT] -> result = DONE; lines = 3
  :: kind == DELETE && !sealed[ROOT] -> result = NOT_FOUND; kind = NOTHING; lines = 1
  fi
#ifdef ERRORS_NOT_STORED
  ;
  if
  :: kind == NOTHING -> goto answer
  :: else -> skip
  fi
#endif
}

inline set_line(to, first, second) {
  line_to[line] = to;
  line_first[line] = first;
  line_second[line] = second
}

#ifdef ROOT_FIRST
#define MEMBER_LINE 3
#define ROOT_LINE 2
#else
#define MEMBER_LINE 2
#define ROOT_LINE 3
#endif

/* A reader may be looking: what it loads besides the word stays until the word has changed. */
#ifdef ID_CLEARED_WITH_WORD
#define OLD_ID(slot) 0
#else
#define OLD_ID(slot) id[slot]
#endif

inline write_lines() {
  line = 0;
  do
  :: atomic { line < lines ->
       if
#ifdef REPLY_NOT_IN_COMMIT
       :: line == 0 -> set_line(TO_NOWHERE, 0, 0)
#else
       :: line == 0 -> set_line(TO_CELL, number, result)
#endif
#ifdef NEXT_ID_NOT_IN_COMMIT
       :: line == 1 && kind == PUT -> set_line(TO_NOWHERE, 0, 0)
#else
       :: line == 1 && kind == PUT -> set_line(TO_NEXT_ID, next_id + 2, 0)
#endif
       :: line == MEMBER_LINE && kind == PUT -> set_line(TO_MEMBER, result - 1, true)
       :: line == ROOT_LINE && kind == PUT -> set_line(TO_ROOT, result, true)
       :: line == 1 && kind == DELETE -> set_line(TO_ROOT, OLD_ID(ROOT), false)
       :: line == 2 && kind == DELETE -> set_line(TO_MEMBER, OLD_ID(MEMBER), false)
       fi;
       line++
     }
  :: else -> break
  od
}

inline make_valid() {
  atomic {
    valid_lines = lines;
    effects[number]++;
    INVARIANT(1, effects[number] == 1);
    INVARIANT(3, told[number] == 0 || told[number] == result);
    true_result[number] = result;
    last_request = number;
    if
    :: kind == PUT ->
       INVARIANT(2, result - 1 > last_id);
       if
       :: was_restarted && last_id > 0 -> REACHED(PUT_AGAIN)
       :: else -> skip
       fi;
       last_id = result;
       true_root = result
    :: kind == DELETE -> true_root = 0
    :: else -> skip
    fi
  }
}

inline store_reply(a_number, a_result) {
  cell_number[a_number % WINDOW] = a_number;
  cell_result[a_number % WINDOW] = a_result
}

inline apply() {
  line = 0;
  do
  :: line < valid_lines ->
     if
     :: line_to[line] == TO_NEXT_ID -> next_id = line_first[line]
     :: line_to[line] == TO_CELL -> atomic { store_reply(line_first[line], line_second[line]) }
     :: line_to[line] == TO_NOWHERE -> skip
     :: else ->
#ifdef WORD_BEFORE_ID
        sealed[line_to[line]] = line_second[line];
        id[line_to[line]] = line_first[line]
#else
        id[line_to[line]] = line_first[line];
        sealed[line_to[line]] = line_second[line]
#endif
     fi;
     line++
  :: else -> break
  od;
#ifndef NOT_CLEARED
  /* The real lines stay as they are, and nobody looks at them; zeros make fewer states. */
  atomic {
    valid_lines = 0;
    for (line : 0 .. LINES - 1) { set_line(0, 0, 0) }
  }
#endif
}

inline adopt() {
  if
  :: valid_lines > 0 -> REACHED(REDONE); apply()
  :: else -> skip
  fi
#ifdef NEXT_ID_NOT_IN_COMMIT
  ;
  if
  :: sealed[ROOT] -> next_id = id[ROOT] + 1
  :: else -> next_id = 1
  fi
#endif
}

inline check() {
  INVARIANT(5, next_id == last_id + 1);
  INVARIANT(5, sealed[ROOT] == (true_root > 0) && sealed[MEMBER] == (true_root > 0));
  INVARIANT(5, true_root == 0 || id[ROOT] == true_root);
  INVARIANT(5, last_request == 0 || cell_number[last_request % WINDOW] == last_request);
  INVARIANT(5, last_request == 0 || cell_result[last_request % WINDOW] == true_result[last_request])
}

proctype Daemon() {
  byte number, kind, from, result, line, lines;

  goto next_turn;
restart:
  atomic { killed = false; was_restarted = true }
  { adopt() } unless { killed -> goto restart }
next_turn:
  {
    atomic { number = 0; kind = 0; from = 0; result = 0; line = 0; lines = 0; check() }
end:
    atomic {
      nempty(to_daemon); /* any of them: they may come from several connections */
      select(number : 1 .. REQUESTS);
      select(from : 0 .. FAULTS);
      if
      :: to_daemon ?? [eval(number), _, eval(from)] -> to_daemon ?? eval(number), kind, eval(from)
      :: else -> goto next_turn
      fi;
      decide()
    }
#ifdef VALID_BEFORE_LINES
    make_valid();
    write_lines();
#else
    write_lines();
    make_valid();
#endif
    apply();
#ifdef REPLY_NOT_IN_COMMIT
    atomic { store_reply(number, result) }
#endif
#ifdef NEXT_ID_NOT_IN_COMMIT
    next_id = last_id + 1;
#endif
answer:
    if
    :: atomic { from == connection -> to_client ! number, result }
    :: from != connection /* nobody is there to read it */
    fi
  } unless { killed -> goto restart }
  goto next_turn
}

/* A client that looks at the index at the worst moment. */
proctype Watcher() {
end:
  atomic {
    sealed[ROOT] && !(sealed[MEMBER] && id[ROOT] == id[MEMBER] + 1) ->
    INVARIANT(4, false) /* not reached */
  }
}

init {
  atomic {
    run Client();
    run Faults();
    run Daemon();
    run Watcher()
  }
}
