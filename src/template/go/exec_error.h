// What both halves of Exec use and nobody else.
#pragma once

#include <fmt/format.h>

#include "template/go/exec.h"
#include "template/go/lexer.h"

namespace hearth::gotmpl {

template <class... Parts>
std::unexpected<Error> Exec::error(const Node& node, fmt::format_string<Parts...> format,
                                   Parts&&... parts) {
  return fail(Code::kInvalid, "{}: {}", place(source_, node.pos),
              fmt::format(format, std::forward<Parts>(parts)...));
}

}  // namespace hearth::gotmpl
