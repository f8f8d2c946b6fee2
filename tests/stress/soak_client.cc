// The program of a soak's clients in C, and the eyes and hands of the one who runs it.
//
//   soak_client work BOARD NUMBER SOCKET SEED           a worker
//   soak_client observe SOCKET DEADLINE_MS HASTY_MS     answers lines; an answer ends with "."
//
//   info          NAME VALUE, all numbers that the daemon reports
//   list          ID KEY OTHER WRONG of every object of a worker; OTHER: where a link leads, or 0
//   names         NAME ID, all
//   value NAME    VALUE of what counts; nothing: there is no such name
//   delete ID [shallow], exists ID, trim          the status, or 1 and 0
//   hold          has an object of its own and connections that work, all for "probe"
//   probe         get STATUS of that object by each of the clients, anew; info STATUS of the hasty one
//   let go        deletes that object
#include <chrono>
#include <iostream>
#include <sstream>
#include <utility>

#include "tests/stress/payload.h"
#include "tests/stress/worker.h"

namespace vineyard::soak {
namespace {

class Observer {
 public:
  Observer(const char* socket, int64_t deadline_ms, int64_t hasty_ms)
      : client_(Connect(socket, deadline_ms)), hasty_(Connect(socket, hasty_ms)) {}
  ~Observer() {
    vineyard_client_release(hasty_);
    vineyard_client_release(client_);
  }

  // False: the command failed, and the error's text says why.
  bool Answer(const std::string& line) {
    std::istringstream words(line);
    std::string command, rest;
    vineyard_id id = 0;
    words >> command;
    if (command == "info") return Info();
    if (command == "list") return List();
    if (command == "names") return Names();
    if (command == "value") return Value(line.substr(6));
    if (command == "trim") return vineyard_client_trim(client_, nullptr) == VINEYARD_OK;
    if (command == "hold") return Hold();
    if (command == "probe") return Probe();
    if (command == "let") return LetGo();
    words >> id >> rest;
    if (command == "exists") {
      int32_t exists = 0;
      if (vineyard_object_exists(client_, id, &exists) != VINEYARD_OK) return false;
      std::cout << exists << "\n";
      return true;
    }
    vineyard_delete_options options = VINEYARD_DELETE_OPTIONS_INIT;
    options.force = 1;
    options.shallow = rest == "shallow";
    std::cout << vineyard_status_name(vineyard_object_delete(client_, &id, 1, &options)) << "\n";
    return true;
  }

 private:
  static vineyard_client* Connect(const char* socket, int64_t deadline_ms) {
    vineyard_client* client = nullptr;
    vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
    options.timeout_ms = deadline_ms;
    options.name = "observer";
    int32_t status;
    auto began = std::chrono::steady_clock::now();
    bool is_new = true;
    do {  // a busy machine, for one so hasty; a socket that is not listened at yet
      status = vineyard_client_connect(socket, &options, &client);
      is_new = std::chrono::steady_clock::now() - began < std::chrono::milliseconds(deadline_ms);
    } while (status == VINEYARD_E_TIMEOUT || (status == VINEYARD_E_UNAVAILABLE && is_new));
    if (status != VINEYARD_OK) {
      std::cerr << vineyard_error_text() << "\n";
      std::exit(1);
    }
    return client;
  }

  bool Hold() {
    if (held_id_ == 0) {
      vineyard_meta* meta = nullptr;
      auto payload = MakePayload(kHeldKey, 1000);
      vineyard_meta_create("soak::held", &meta);
      vineyard_meta_add_bytes(meta, "payload", payload.data(), payload.size() * 8,
                              VINEYARD_BLOB_BUFFER);
      int32_t status = vineyard_object_put(client_, meta, nullptr, &held_id_);
      vineyard_meta_release(meta);
      if (status != VINEYARD_OK) return false;
    }
    if (held_ == nullptr && vineyard_object_get(client_, held_id_, &held_) != VINEYARD_OK) {
      return false;
    }
    for (vineyard_client* client : {client_, hasty_}) {
      vineyard_object* object =
          nullptr;  // who has never got it has to ask for the memory that it lies in
      if (vineyard_object_get(client, held_id_, &object) != VINEYARD_OK) return false;
      vineyard_object_release(object);
      if (AskInfo(client) != VINEYARD_OK) return false;
    }
    return true;
  }

  bool Probe() {
    for (vineyard_client* client : {client_, hasty_}) {
      vineyard_object* object = nullptr;
      int32_t status = vineyard_object_get(client, held_id_, &object);
      std::string wrong = vineyard_status_name(status);
      if (status == VINEYARD_OK) {
        std::string found = Verifier().Payload(object, "payload", &kHeldKey);
        if (!found.empty()) wrong = found;
        vineyard_object_release(object);
      }
      std::cout << "get " << wrong << "\n";
    }
    std::cout << "info " << vineyard_status_name(AskInfo(hasty_)) << "\n";
    return true;
  }

  bool LetGo() {
    if (held_id_ == 0) return true;
    vineyard_object_release(std::exchange(held_, nullptr));
    vineyard_id id = std::exchange(held_id_, 0);
    return vineyard_object_delete(client_, &id, 1, nullptr) == VINEYARD_OK;
  }

  static int32_t AskInfo(vineyard_client* client) {
    vineyard_info* info = nullptr;
    int32_t status = vineyard_client_get_info(client, &info);
    vineyard_info_release(info);
    return status;
  }

  bool Info() {
    vineyard_info* info = nullptr;
    if (vineyard_client_get_info(client_, &info) != VINEYARD_OK) return false;
    for (uint64_t i = 0; i < vineyard_info_count(info); ++i) {
      const char* name;
      const vineyard_value* value;
      vineyard_info_at(info, i, &name, &value);
      if (value->type == VINEYARD_VALUE_UINT64) {
        std::cout << name << " " << value->as.uint64 << "\n";
      }
    }
    vineyard_info_release(info);
    return true;
  }

  bool List() {
    vineyard_list* list = nullptr;
    if (vineyard_list_open(client_, "soak::w*", 0, &list) != VINEYARD_OK) return false;
    vineyard_id id = 0;
    int32_t status = VINEYARD_OK;
    while ((status = vineyard_list_next(list, &id)) == VINEYARD_OK && id != 0) {
      vineyard_object* object = nullptr;
      uint64_t key = 0;
      vineyard_id other = 0;
      status = vineyard_object_get(client_, id, &object);
      if (status != VINEYARD_OK) {
        std::cout << id << " 0 0 get: " << vineyard_error_text() << "\n";
        continue;
      }
      vineyard_object_field_uint64(object, "key", &key);
      vineyard_object_member_id(object, "other", &other);
      std::cout << id << " " << key << " " << other << " " << Verifier().Check(object) << "\n";
      vineyard_object_release(object);
    }
    vineyard_list_release(list);
    return status == VINEYARD_OK;
  }

  bool Names() {
    vineyard_name_list* list = nullptr;
    if (vineyard_name_list_open(client_, "soak/*", &list) != VINEYARD_OK) return false;
    const char* name = nullptr;
    vineyard_id id = 0;
    int32_t status = VINEYARD_OK;
    while ((status = vineyard_name_list_next(list, &name, &id, nullptr)) == VINEYARD_OK &&
           name != nullptr) {
      std::cout << name << " " << id << "\n";
    }
    vineyard_name_list_release(list);
    return status == VINEYARD_OK;
  }

  bool Value(const std::string& name) {
    vineyard_id id = 0;
    int32_t status = vineyard_name_get(client_, name.c_str(), 0, &id, nullptr);
    if (status == VINEYARD_E_NOT_FOUND) return true;
    vineyard_object* object = nullptr;
    uint64_t value = 0;
    if (status != VINEYARD_OK || vineyard_object_get(client_, id, &object) != VINEYARD_OK ||
        vineyard_object_field_uint64(object, "value", &value) != VINEYARD_OK) {
      return false;
    }
    vineyard_object_release(object);
    std::cout << value << "\n";
    return true;
  }

  static constexpr uint64_t kHeldKey = 1;

  vineyard_client* const client_;
  vineyard_client* const hasty_;
  vineyard_object* held_ = nullptr;  // so that it stays in memory
  vineyard_id held_id_ = 0;
};

int Observe(const char* socket, int64_t deadline_ms, int64_t hasty_ms) {
  Observer observer(socket, deadline_ms, hasty_ms);
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!observer.Answer(line)) std::cout << "! " << vineyard_error_text() << "\n";
    std::cout << "." << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace vineyard::soak

int main(int argc, char** argv) {
  std::string command = argc > 1 ? argv[1] : "";
  if (command == "work" && argc == 6) {
    vineyard::soak::Board* board = vineyard::soak::OpenBoard(argv[2]);
    uint64_t number = std::strtoull(argv[3], nullptr, 10);
    vineyard::soak::Worker(board, number, argv[4], std::strtoull(argv[5], nullptr, 10)).Run();
    return 0;
  }
  if (command == "observe" && argc == 5) {
    return vineyard::soak::Observe(argv[2], std::strtoll(argv[3], nullptr, 10),
                                   std::strtoll(argv[4], nullptr, 10));
  }
  std::cerr
      << "usage: soak_client work BOARD NUMBER SOCKET SEED | observe SOCKET DEADLINE_MS HASTY_MS\n";
  return 2;
}
