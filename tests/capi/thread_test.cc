// What this library keeps for each thread: little enough for many copies of it, there as long as the thread runs.
#include <dlfcn.h>
#include <pthread.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"

namespace {

thread_local constinit bool no_memory = false;

}  // namespace

// The library's, too: it looks them up. All forms that may be mixed with each other.
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return no_memory ? nullptr : std::malloc(size > 0 ? size : 1);
}
void* operator new[](size_t size) {
  void* memory = operator new[](size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace vineyard::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kInstrumented = true;  // their thread-local memory is not ours
#else
constexpr bool kInstrumented = false;
#endif

int32_t FailWith(const char* id) {
  vineyard_id parsed = 0;
  return vineyard_id_parse(id, &parsed);
}

// What a program in Java does that loads the client in many class loaders.
TEST(Threads, TwentyCopiesOfTheLibraryAreLoadedIntoOneRunningProcess) {
  if (kInstrumented) GTEST_SKIP() << "the sanitizer's variables do not fit";
  TempFolder folder;
  Dl_info library;
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&vineyard_version), &library), 0);
  Child child([&](Talk&) {
    for (int i = 0; i < 20; ++i) {
      std::string copy = folder / ("copy" + std::to_string(i) + ".so");
      std::filesystem::copy_file(library.dli_fname, copy);
      void* loaded = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (loaded == nullptr) std::fprintf(stderr, "copy %d: %s\n", i, dlerror());
      CHILD_CHECK(loaded != nullptr);
      auto* parse =
          reinterpret_cast<decltype(&vineyard_id_parse)>(dlsym(loaded, "vineyard_id_parse"));
      auto* text =
          reinterpret_cast<decltype(&vineyard_error_text)>(dlsym(loaded, "vineyard_error_text"));
      vineyard_id id = 0;
      CHILD_CHECK(parse("none", &id) == VINEYARD_E_INVALID);
      CHILD_CHECK(std::string(text()).find("none") != std::string::npos);
    }
    return 0;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST(Threads, AnErrorHasATextOfItsOwnInEachThread) {
  ASSERT_EQ(FailWith("mine"), VINEYARD_E_INVALID);
  std::string mine = vineyard_error_text(), before, theirs;
  std::thread other([&] {
    before = vineyard_error_text();
    FailWith("theirs");
    theirs = vineyard_error_text();
  });
  other.join();
  EXPECT_EQ(before, "");
  EXPECT_NE(theirs.find("theirs"), std::string::npos) << theirs;
  EXPECT_EQ(vineyard_error_text(), mine);
}

TEST(Threads, AnErrorWithoutMemoryForItsTextHasThatOfItsCode) {
  std::string without, with;
  std::thread other([&] {
    no_memory = true;
    FailWith("unseen");
    without = vineyard_error_text();
    no_memory = false;
    FailWith("seen");
    with = vineyard_error_text();
  });
  other.join();
  EXPECT_EQ(without, "invalid");
  EXPECT_NE(with.find("seen"), std::string::npos) << with;
}

std::vector<std::string> last_texts;

struct FailsAtTheEnd {
  bool used = false;
  ~FailsAtTheEnd() {
    FailWith("thread_local");
    last_texts.push_back(vineyard_error_text());
  }
};
thread_local FailsAtTheEnd fails_at_the_end;

TEST(Threads, ErrorsHaveTheirTextsWhileTheThreadEnds) {
  pthread_key_t key = 0;
  // Behind the library's own key, which is older: destroyed after it.
  FailWith("first");
  ASSERT_EQ(pthread_key_create(&key,
                               [](void*) {
                                 FailWith("key");
                                 last_texts.push_back(vineyard_error_text());
                               }),
            0);
  std::thread other([&] {
    fails_at_the_end.used = true;
    pthread_setspecific(key, &key);
    FailWith("in the thread");
  });
  other.join();
  pthread_key_delete(key);
  ASSERT_EQ(last_texts.size(), 2u);
  EXPECT_NE(last_texts[0].find("thread_local"), std::string::npos) << last_texts[0];
  EXPECT_NE(last_texts[1].find("key"), std::string::npos) << last_texts[1];
}

}  // namespace
}  // namespace vineyard::testing
