// CHECK: we are wrong. Always on, prints where and what, and ends the process; never used on
// anything that comes from outside (that is Result's job). DCHECK: the same in builds without
// NDEBUG, for checks too costly for a release.
#pragma once

namespace hearth {

[[noreturn, gnu::cold]] void check_failed(const char* file, int line, const char* what);

}  // namespace hearth

#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::hearth::check_failed(__FILE__, __LINE__, #condition);        \
  } while (false)

#ifdef NDEBUG
#define DCHECK(condition) \
  do {                    \
  } while (false && (condition))
#else
#define DCHECK(condition) CHECK(condition)
#endif
