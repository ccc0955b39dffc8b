// Where a parser answers that memory ran out. Containers of the standard library throw
// std::bad_alloc; each parser's public entry runs within catching_bad_alloc(), which unwinds what
// was built and makes an Error of it, so that a hostile or large file costs its reader an answer
// and not the process. Nothing in here allocates.
//
//   Result<Config> Config::parse(std::string_view text) {
//     return catching_bad_alloc([&] { return Parser(text).run(); });
//   }
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace hearth {

// The text is short enough to lie within the string object.
inline std::unexpected<Error> out_of_memory() {
  return std::unexpected(Error{Code::kOutOfMemory, "out of memory"});
}

// What `work` returns, a Result; kOutOfMemory where memory runs out within it.
template <class F>
std::invoke_result_t<F> catching_bad_alloc(F&& work) {
  try {
    return std::forward<F>(work)();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace hearth
