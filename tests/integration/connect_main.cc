// Connects through the C interface and says what came of it: "<status> <text>". Linked with the library
// of another build, it is a client of another release.
//
//   connect_other [SOCKET]
#include <vineyard/vineyard.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc > 2) return 2;
  vineyard_client* client = nullptr;
  int32_t status = vineyard_client_connect(argc == 2 ? argv[1] : nullptr, nullptr, &client);
  std::printf("%d %s\n", status, status == VINEYARD_OK ? "" : vineyard_error_text());
  vineyard_id id = 0;
  if (status == VINEYARD_OK) status = vineyard_blob_put(client, "x", 1, VINEYARD_BLOB_BUFFER, &id);
  vineyard_client_release(client);
  return status == VINEYARD_OK ? 0 : 1;
}
