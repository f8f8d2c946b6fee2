# vineyard_sources(out folder): every *.cc of one flat folder, found again when files come or go.
function(vineyard_sources out folder)
  file(GLOB found CONFIGURE_DEPENDS ${folder}/*.cc)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# vineyard_static_library(target sources...): static and position independent, like all of ours.
function(vineyard_static_library target)
  if(NOT ARGN)
    set(ARGN ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
  endif()
  add_library(${target} STATIC ${ARGN})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

# vineyard_layer(name USES targets...): the library vineyard_<name> of core/<name>. USES is the
# "may include" column of the architecture; tests/lint checks the includes themselves.
function(vineyard_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 layer "" "" "USES")
  vineyard_sources(sources ${PROJECT_SOURCE_DIR}/core/${name})
  vineyard_static_library(vineyard_${name} ${sources})
  target_link_libraries(vineyard_${name} PUBLIC ${layer_USES})
endfunction()
