/* Follows the changes of the cluster in an epoll loop, beside signals: Ctrl-C ends it in good order.
 *
 *   watch_epoll [SOCKET [EVENTS]]    EVENTS: ends after so many
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

static void print_event(const vineyard_event* event) {
  char id[VINEYARD_ID_TEXT_SIZE];
  uint64_t size = sizeof id;
  if (vineyard_id_print(event->id, id, &size) != VINEYARD_OK) return;
  switch (event->kind) {
    case VINEYARD_EVENT_CREATED:
      printf("created %s on instance %" PRIu64 "\n", id, event->instance);
      break;
    case VINEYARD_EVENT_DELETED:
      printf("deleted %s\n", id);
      break;
    case VINEYARD_EVENT_NAMED:
      printf("named %s: %s\n", id, event->name);
      break;
    case VINEYARD_EVENT_DROPPED:
      printf("dropped the name of %s: %s\n", id, event->name);
      break;
    case VINEYARD_EVENT_LABELLED:
      printf("labelled %s\n", id);
      break;
    case VINEYARD_EVENT_JOINED:
      printf("instance %" PRIu64 " joined\n", event->instance);
      break;
    case VINEYARD_EVENT_LOST:
    case VINEYARD_EVENT_FORGOTTEN:
      printf("instance %" PRIu64 " is gone\n", event->instance);
      break;
    case VINEYARD_EVENT_COMPACTED:
      printf("some changes are not known any more: list anew\n");
      break;
    default: /* of a newer daemon */
      break;
  }
}

/* All events that are there now. Its descriptor says that it is worth asking, and one answer may stand for several
 * events: so asked until there is none. `left`: how many are wanted yet, or negative: all. */
static int32_t read_events(vineyard_watch* watch, long* left) {
  vineyard_event event = VINEYARD_EVENT_INIT;
  int32_t status = VINEYARD_OK;
  while (*left != 0) {
    status = vineyard_watch_next(watch, 0, &event);
    if (status != VINEYARD_OK) break;
    print_event(&event);
    if (*left > 0) --*left;
  }
  /* UNAVAILABLE: the daemon is away. The watch connects anew, and its descriptor says when. */
  return status == VINEYARD_E_TIMEOUT || status == VINEYARD_E_UNAVAILABLE ? VINEYARD_OK : status;
}

static int add(int loop, int fd) {
  struct epoll_event wanted = {0};
  wanted.events = EPOLLIN;
  wanted.data.fd = fd;
  return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &wanted);
}

/* 0, or a VINEYARD_E_* of the watch; 1: the system failed, errno says how. */
static int32_t run(vineyard_watch* watch, long left) {
  int32_t status = VINEYARD_OK;
  int signals, loop = epoll_create1(EPOLL_CLOEXEC), ended = 0;
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  sigprocmask(SIG_BLOCK, &ending, NULL);
  signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
  if (loop < 0 || signals < 0 || add(loop, signals) != 0 ||
      add(loop, vineyard_watch_fd(watch)) != 0) {
    status = 1;
  }
  if (status == VINEYARD_OK) printf("watching\n");
  while (status == VINEYARD_OK && !ended && left != 0) {
    struct epoll_event ready[2];
    int i, count = epoll_wait(loop, ready, 2, -1);
    if (count < 0 && errno != EINTR) status = 1;
    for (i = 0; i < count; ++i) {
      if (ready[i].data.fd == signals) {
        ended = 1;
      } else {
        status = read_events(watch, &left);
      }
    }
  }
  if (signals >= 0) close(signals);
  if (loop >= 0) close(loop);
  return status;
}

int main(int argc, char** argv) {
  vineyard_client* client = NULL;
  vineyard_watch* watch = NULL;
  int32_t status = vineyard_client_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
  setvbuf(stdout, NULL, _IOLBF, 0); /* each line at once, also into a pipe */
  if (status == VINEYARD_OK) status = vineyard_watch_open(client, NULL, &watch);
  if (status == VINEYARD_OK) status = run(watch, argc > 2 ? strtol(argv[2], NULL, 10) : -1);
  if (status > 0) perror("watch");
  if (status < 0) {
    fprintf(stderr, "watch: %s: %s\n", vineyard_status_name(status), vineyard_error_text());
  }
  vineyard_watch_release(watch);
  vineyard_client_release(client);
  return status == VINEYARD_OK ? 0 : 1;
}
