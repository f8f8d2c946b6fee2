/* What a million objects cost: memory for each, lists, and how long a restarted daemon keeps a client waiting.
 *
 *   scale VINEYARDD [ARRAYS]    starts a daemon of its own; prints one line of JSON a figure
 *
 * Each object is what Python puts for an array of 1 KiB: a vineyard::Array with its blob, in one message. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#define CHECK(call)                                                       \
  do {                                                                    \
    int32_t check_status = (call);                                        \
    if (check_status != VINEYARD_OK) {                                    \
      fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call,   \
              vineyard_status_name(check_status), vineyard_error_text()); \
      exit(1);                                                            \
    }                                                                     \
  } while (0)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void figure(const char* name, double value, const char* unit, double limit) {
  printf(
      "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"limit\": %.6g, "
      "\"limit_name\": \"target\"}\n",
      name, value, unit, limit);
  fflush(stdout);
}

static int compare(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static char socket_path[256];

static pid_t start_daemon(const char* program) {
  pid_t pid = fork();
  if (pid == 0) {
    execl(program, program, "--socket", socket_path, "--size", "6Gi", "--meta", "local",
          "--log-level", "warning", (char*)0);
    _exit(127);
  }
  return pid;
}

/* The one child of the keeper: the daemon. */
static pid_t daemon_of(pid_t keeper) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", keeper, keeper);
  FILE* file = fopen(path, "r");
  int pid = 0;
  if (file != NULL) {
    if (fscanf(file, "%d", &pid) != 1) pid = 0;
    fclose(file);
  }
  return pid;
}

static uint64_t private_bytes(pid_t pid) {
  char path[64], line[256];
  unsigned long long kib = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* file = fopen(path, "r");
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "RssAnon: %llu", &kib) == 1) break;
  }
  fclose(file);
  return kib * 1024;
}

static uint64_t info_number(vineyard_client* client, const char* wanted) {
  vineyard_info* info;
  uint64_t i, number = 0;
  CHECK(vineyard_client_get_info(client, &info));
  for (i = 0; i < vineyard_info_count(info); ++i) {
    const char* name;
    const vineyard_value* value;
    CHECK(vineyard_info_at(info, i, &name, &value));
    if (strcmp(name, wanted) == 0 && value->type != VINEYARD_VALUE_STRING)
      number = value->as.uint64;
  }
  vineyard_info_release(info);
  return number;
}

static vineyard_id put_array(vineyard_client* client, const char* payload, uint64_t size,
                             const char* type) {
  vineyard_meta* meta;
  vineyard_id id;
  vineyard_value length = {VINEYARD_VALUE_INT64, 0, 0, {0}};
  vineyard_value shape = {VINEYARD_VALUE_LIST, 0, 1, {0}};
  vineyard_value none = {VINEYARD_VALUE_LIST, 0, 0, {0}};
  length.as.int64 = (int64_t)size / 8;
  shape.as.items = &length;
  CHECK(vineyard_meta_create(type, &meta));
  CHECK(vineyard_meta_set_string(meta, "value_type_", "float64", 7));
  CHECK(vineyard_meta_set_value(meta, "shape_", &shape));
  CHECK(vineyard_meta_set_string(meta, "order_", "C", 1));
  CHECK(vineyard_meta_set_string(meta, "value_type_meta_", "<f8", 3));
  CHECK(vineyard_meta_set_value(meta, "partition_index_", &none));
  CHECK(vineyard_meta_add_bytes(meta, "buffer_", payload, size, VINEYARD_BLOB_BUFFER));
  CHECK(vineyard_object_put(client, meta, NULL, &id));
  vineyard_meta_release(meta);
  return id;
}

/* A reader that never stops: its slowest get tells whether a restart disturbs readers. */
struct reader {
  vineyard_client* client;
  const vineyard_id* ids;
  uint64_t count;
  atomic_int stop;
  double slowest;
  uint64_t gets;
};

static void* read_on(void* argument) {
  struct reader* reader = argument;
  uint64_t random = 1;
  while (!atomic_load(&reader->stop)) {
    vineyard_blob* blob;
    random = random * 6364136223846793005u + 1442695040888963407u;
    double start = now();
    CHECK(vineyard_blob_get(reader->client, reader->ids[(random >> 33) % reader->count], &blob));
    if (((const char*)vineyard_blob_data(blob))[0] != 'x') abort();
    vineyard_blob_release(blob);
    double took = now() - start;
    if (took > reader->slowest) reader->slowest = took;
    ++reader->gets;
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const uint64_t arrays = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
  char folder[] = "/tmp/vineyard-scale-XXXXXX";
  char payload[1024];
  vineyard_client* client;
  uint64_t i;
  memset(payload, 'x', sizeof payload);
  if (mkdtemp(folder) == NULL) return 1;
  snprintf(socket_path, sizeof socket_path, "%s/s", folder);

  /* Start to first answered request, median of 11. */
  double starts[11];
  pid_t keeper = 0;
  for (i = 0; i < 11; ++i) {
    double start = now();
    keeper = start_daemon(argv[1]);
    while (vineyard_client_connect(socket_path, NULL, &client) != VINEYARD_OK) usleep(200);
    vineyard_id id = put_array(client, payload, 8, "vineyard::Array");
    vineyard_object* object;
    CHECK(vineyard_object_get(client, id, &object));
    starts[i] = now() - start;
    vineyard_object_release(object);
    if (i == 10) break;
    vineyard_client_release(client);
    kill(keeper, SIGTERM);
    waitpid(keeper, NULL, 0);
  }
  qsort(starts, 11, sizeof starts[0], compare);
  figure("daemon: start to first answered request", starts[5] * 1e3, "ms", 50);

  pid_t daemon = daemon_of(keeper);
  uint64_t heap = private_bytes(daemon);
  uint64_t metadata = info_number(client, "metadata_bytes");
  uint64_t used = info_number(client, "memory_used");
  double lists = 0;
  double start = now(), other = 0;
  for (i = 0; i < arrays; ++i) {
    put_array(client, payload, sizeof payload, "vineyard::Array");
    if (i + 1 == arrays / 10) {
      double begin = now();
      double samples[101];
      for (int k = 0; k < 101; ++k) {
        vineyard_list* list;
        vineyard_id id;
        double before = now();
        CHECK(vineyard_list_open(client, "vineyard::Array", 100, &list));
        for (int n = 0; n < 100; ++n) CHECK(vineyard_list_next(list, &id));
        vineyard_list_release(list);
        samples[k] = now() - before;
      }
      qsort(samples, 101, sizeof samples[0], compare);
      lists = samples[50];
      other = now() - begin;
    }
  }
  double took = now() - start - other;
  printf("{\"name\": \"put of a 1 KiB array, mean of %llu\", \"value\": %.4g, \"unit\": \"us\"}\n",
         (unsigned long long)arrays, took / (double)arrays * 1e6);
  figure("list of the first 100 of one type among 100,000 objects", lists * 1e3, "ms", 0.2);
  double cost = (double)(private_bytes(daemon) - heap) +
                (double)(info_number(client, "metadata_bytes") - metadata) +
                (double)(info_number(client, "memory_used") - used) - 1024.0 * (double)arrays;
  figure("overhead per object, arrays of 1 KiB", cost / (double)arrays, "bytes", 512);

  /* A restart with as many slots as arrays / 2 arrays fill; here all are there: two slots each. */
  vineyard_id* ids = malloc(arrays * sizeof *ids);
  vineyard_list* list;
  uint64_t blobs = 0;
  CHECK(vineyard_list_open(client, "vineyard::Blob", 10000, &list));
  for (vineyard_id id; blobs < arrays;) {
    CHECK(vineyard_list_next(list, &id));
    if (id == VINEYARD_ID_INVALID) break;
    vineyard_blob* blob;
    CHECK(vineyard_blob_get(client, id, &blob));
    if (vineyard_blob_length(blob) == sizeof payload) ids[blobs++] = id;
    vineyard_blob_release(blob);
  }
  vineyard_list_release(list);
  /* Down to 1,000,000 slots. */
  uint64_t keep = arrays / 2;
  CHECK(vineyard_list_open(client, "vineyard::Array", 10000, &list));
  uint64_t seen = 0;
  vineyard_id batch[256];
  uint64_t filled = 0;
  for (vineyard_id id;;) {
    CHECK(vineyard_list_next(list, &id));
    if (id == VINEYARD_ID_INVALID) break;
    if (seen++ <= keep) continue;
    batch[filled++] = id;
    if (filled == 256) {
      CHECK(vineyard_object_delete(client, batch, filled, NULL));
      filled = 0;
    }
  }
  if (filled > 0) CHECK(vineyard_object_delete(client, batch, filled, NULL));
  vineyard_list_release(list);

  struct reader reader = {client, ids, keep / 2, 0, 0, 0};
  pthread_t thread;
  pthread_create(&thread, NULL, read_on, &reader);
  usleep(200000);
  reader.slowest = 0;
  usleep(1000000);
  double undisturbed = reader.slowest;
  reader.slowest = 0;
  /* Five daemons that die young make the keeper wait; no more than that in ten seconds. */
  double restarts[5], lists_after[5], gets_after[5];
  size_t rounds = arrays < 100000 ? 2 : 5;
  for (size_t k = 0; k < rounds; ++k) {
    daemon = daemon_of(keeper);
    start = now();
    kill(daemon, SIGKILL);
    put_array(client, payload, sizeof payload, "vineyard::Array");
    restarts[k] = now() - start;
    start = now();
    vineyard_id id;
    CHECK(vineyard_list_open(client, "vineyard::Array", 100, &list));
    CHECK(vineyard_list_next(list, &id));
    vineyard_list_release(list);
    lists_after[k] = now() - start;
    usleep(100000);
  }
  double slowest = reader.slowest;
  atomic_store(&reader.stop, 1);
  pthread_join(thread, NULL);
  if (rounds == 5) sleep(11);
  for (size_t k = 0; k < rounds; ++k) { /* somebody new */
    vineyard_client* other_client;
    vineyard_blob* blob;
    start = now();
    kill(daemon_of(keeper), SIGKILL);
    CHECK(vineyard_client_connect(socket_path, NULL, &other_client));
    CHECK(vineyard_blob_get(other_client, ids[keep / 3], &blob));
    gets_after[k] = now() - start;
    vineyard_blob_release(blob);
    vineyard_client_release(other_client);
    usleep(100000);
  }
  qsort(restarts, rounds, sizeof restarts[0], compare);
  qsort(lists_after, rounds, sizeof lists_after[0], compare);
  qsort(gets_after, rounds, sizeof gets_after[0], compare);
  figure("restart with 1,000,000 slots: SIGKILL to a put answered", restarts[rounds / 2] * 1e3,
         "ms", 300);
  figure("restart with 1,000,000 slots: SIGKILL to a get by a new client",
         gets_after[rounds / 2] * 1e3, "ms", 300);
  figure("restart with 1,000,000 slots: first list by type", lists_after[rounds / 2] * 1e3, "ms",
         2000);
  printf(
      "{\"name\": \"slowest of %llu gets, restarts among them\", \"value\": %.4g, \"unit\": "
      "\"ms\", \"limit\": %.4g, \"limit_name\": \"slowest in a second without\"}\n",
      (unsigned long long)reader.gets, slowest * 1e3, undisturbed * 1e3);
  free(ids);
  vineyard_client_release(client);
  kill(keeper, SIGTERM);
  waitpid(keeper, NULL, 0);
  rmdir(folder);
  return 0;
}
