# What a person can switch, and the compiler flags of everything in the tree.

# scikit-build-core sets SKBUILD: then only what travels in the wheel is built.
if(DEFINED SKBUILD OR NOT PROJECT_IS_TOP_LEVEL)
  set(_for_developers OFF)
else()
  set(_for_developers ON)
endif()
if(DEFINED SKBUILD)
  set(_for_python ON)
else()
  set(_for_python OFF)
endif()

option(VINEYARD_BUILD_TESTS "Build the tests" ${_for_developers})
option(VINEYARD_BUILD_BENCH "Build the benchmarks" ${_for_developers})
option(VINEYARD_BUILD_PYTHON "Build the Python extension module" ${_for_python})
option(VINEYARD_BUILD_JAVA "Build the library that the Java classes load (Maven does)" OFF)
option(VINEYARD_WERROR "Turn warnings into errors (presets but release do, and CI by the environment)"
       $ENV{WERROR})
option(VINEYARD_COVERAGE "Instrument for gcov" OFF)
option(VINEYARD_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
option(VINEYARD_TIDY "Run clang-tidy beside the compiler" OFF)
set(VINEYARD_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

include(GNUInstallDirs)

# __FILE__ in messages is the path inside the repository.
add_compile_options(-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)

# What the release build compiled, pip's finds in the cache. So the cache may mix build folders, and is
# told what differs without a meaning: LC_CTYPE, which Python sets for its children, and the names of one
# compiler (c++, g++, x86_64-linux-gnu-g++, which pip takes).
find_program(VINEYARD_CCACHE ccache)
if(VINEYARD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  foreach(language C CXX)
    set(_same CCACHE_NOHASHDIR=1 LC_CTYPE=C.UTF-8)
    file(REAL_PATH ${CMAKE_${language}_COMPILER} _compiler)
    # What others do may depend on their name; that of a wrapper is not the compiler's.
    if(CMAKE_${language}_COMPILER_ID STREQUAL GNU AND _compiler MATCHES "g(cc|\\+\\+)(-[0-9]+)?$")
      list(APPEND _same CCACHE_COMPILER=${_compiler})
    endif()
    set(CMAKE_${language}_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env ${_same} ${VINEYARD_CCACHE})
  endforeach()
endif()

# -Wconversion: a size that comes from another process must not lose bits silently.
set(VINEYARD_WARNINGS -Wall -Wextra -Wpedantic -Wconversion)
set(VINEYARD_CXX_WARNINGS -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual)
if(VINEYARD_WERROR)
  list(APPEND VINEYARD_WARNINGS -Werror)
endif()
add_compile_options(${VINEYARD_WARNINGS} "$<$<COMPILE_LANGUAGE:CXX>:${VINEYARD_CXX_WARNINGS}>")

if(VINEYARD_SANITIZE)
  add_compile_options(-fsanitize=${VINEYARD_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${VINEYARD_SANITIZE})
endif()
if(VINEYARD_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
if(VINEYARD_FUZZ)
  add_compile_definitions(VINEYARD_SLOT_STEP=8192)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(VINEYARD_TIDY)
  find_program(VINEYARD_CLANG_TIDY NAMES clang-tidy-14 clang-tidy REQUIRED)
  # The compiler is GCC: clang-tidy is told to keep silent about flags only GCC knows.
  set(CMAKE_CXX_CLANG_TIDY ${VINEYARD_CLANG_TIDY} --quiet --extra-arg=-Wno-unknown-warning-option
                           --extra-arg=-Wno-ignored-optimization-argument)
endif()
