// One client of a soak in C: does whatever clients do, in an order that its seed fixes, compares
// every byte that it reads, and keeps its page of the board true at every instant at which it may
// be killed.
#ifndef TESTS_STRESS_WORKER_H_
#define TESTS_STRESS_WORKER_H_

#include <vineyard/vineyard.h>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/stress/board.h"

namespace vineyard::soak {

class Worker {
 public:
  Worker(Board* board, uint64_t number, const char* socket, uint64_t seed);
  ~Worker();

  // Until the board says stop.
  void Run();

 private:
  bool IsStranger(uint64_t worker) const { return worker >= board_->strangers.load(); }

  enum Kind { kFlat, kTree, kNamed, kLink, kCounter };

  // One call of the library: counted, timed, its status sorted.
  int32_t Call(const char* what, const std::function<int32_t()>& call);
  void Complain(const std::string& what);
  // Complains unless `status` is OK, or one that violence or full memory excuses.
  bool Excused(const char* what, int32_t status);

  void Step();
  void Pause();
  // Behind the end of a freeze: reads what it holds.
  void ReadAgain();
  void Put(Kind kind);
  void BeginWriter();
  void EndWriter();
  void Delete(Entry* entry);
  void Get(bool keep);
  void Count();
  void Label();
  void Wait();
  void Persist();

  Entry* Free();
  Entry* Mine();      // any live one; null: none
  Entry* Anybodys();  // likewise
  uint64_t NewKey();
  uint64_t AnySize();
  // Puts what `meta` says as this entry's object.
  int32_t PutEntry(Entry* entry, vineyard_meta* meta, const char* name);
  void Verify(vineyard_object* object);

  Board* const board_;
  const uint64_t number_;
  Page* const page_;
  const std::string counter_name_;  // each user's own
  std::mt19937_64 random_;
  vineyard_client* client_ = nullptr;
  std::vector<vineyard_object*> kept_;
  uint64_t thaws_ = 0;  // those after which it has read again
  // A payload that is half written.
  vineyard_blob_writer* writer_ = nullptr;
  uint64_t writer_key_ = 0;
};

}  // namespace vineyard::soak

#endif  // TESTS_STRESS_WORKER_H_
