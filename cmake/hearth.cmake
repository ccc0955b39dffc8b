# What every folder's CMakeLists.txt uses:
#
#   hearth_library(base SOURCES a.cc b.cc LINK fmt::fmt)     the static library hearth_base
#   hearth_test(base SOURCES a_test.cc b_test.cc)            the program test_base, one ctest row
#   hearth_fuzz(gguf SOURCES gguf_fuzz.cc LINK hearth_base)  the program fuzz_gguf (HEARTH_FUZZ),
#                                                            built with the target `fuzzers`
#
# Sources are listed by hand, so that a file that nobody builds is seen (tools/tidy checks).

add_library(hearth_flags INTERFACE)
target_include_directories(hearth_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers
  # A product must give the same bits wherever it is compiled: fused operations are written, not
  # left to the compiler.
  -ffp-contract=off -fno-math-errno)
if(HEARTH_SANITIZE)
  target_compile_options(hearth_flags INTERFACE
    -fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    # gcc warns of moved-from variants that it no longer follows under sanitizers.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()
if(HEARTH_FUZZ)
  target_compile_options(hearth_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(hearth_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(hearth_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(hearth_${name} PUBLIC hearth_flags ${ARG_LINK})
endfunction()

function(hearth_test name)
  if(NOT HEARTH_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  target_compile_definitions(test_${name} PRIVATE
    HEARTH_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
    HEARTH_SHARED_DATA="${PROJECT_SOURCE_DIR}/../shared/data")
  add_test(NAME ${name} COMMAND test_${name})
endfunction()

function(hearth_fuzz name)
  if(NOT HEARTH_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINK})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  if(NOT TARGET fuzzers)
    add_custom_target(fuzzers)
  endif()
  add_dependencies(fuzzers fuzz_${name})
endfunction()
