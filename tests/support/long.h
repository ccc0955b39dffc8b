// Whether tests run at their full length.
#pragma once

#include <cstdlib>

namespace hearth::test {

// `full` where HEARTH_TEST_LONG is set (./test.sh --long does), `brief` otherwise.
template <class T>
T at_length(T full, T brief) {
  return std::getenv("HEARTH_TEST_LONG") != nullptr ? full : brief;
}

}  // namespace hearth::test
