// What both halves of the parser use and nobody else.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>

#include "template/go/constant.h"
#include "template/go/parser.h"

namespace hearth::gotmpl {

template <class... Args>
std::unexpected<Error> Parser::error(size_t pos, fmt::format_string<Args...> format,
                                     Args&&... args) {
  return fail(Code::kCorrupt, "{}: {}", place(source_, pos),
              fmt::format(format, std::forward<Args>(args)...));
}

inline std::optional<std::string> unquote_token(const Token& token) { return unquote(token.text); }

}  // namespace hearth::gotmpl
