#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hearth {

void check_failed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: this is a bug in Hearth: CHECK(%s) failed\n", file, line, what);
  std::fflush(stderr);
  std::abort();
}

}  // namespace hearth
