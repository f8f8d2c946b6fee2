// Runs a fuzz target over the files named on the command line, and over the empty input. This file
// is the only place that stands in for libFuzzer where the compiler has none.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  std::string input;
  for (int i = 0; i < argc; ++i) {
    input.clear();
    if (i > 0) {
      std::ifstream file(argv[i], std::ios::binary);
      if (!file) {
        std::fprintf(stderr, "%s: can not be read\n", argv[i]);
        return 1;
      }
      input.assign(std::istreambuf_iterator<char>(file), {});
      std::fprintf(stderr, "%s\n", argv[i]);
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
  std::printf("%d inputs\n", argc);
  return 0;
}
