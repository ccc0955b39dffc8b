// Lexer: the text of a template to tokens, with Jinja's rules for white space. With the settings
// of chat templates the newline after a block or comment goes (trim_blocks), blanks before one at
// the start of a line go (lstrip_blocks), one newline at the end of the text goes; `-` takes all
// white space on its side and `+` keeps it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/template.h"

namespace hearth::jinja {

enum class TokenKind : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  uint32_t pos = 0;       // byte offset in the source
  std::string_view text;  // of the source; the body of a string without its quotes
  bool is_op(std::string_view op) const { return kind == TokenKind::kOperator && text == op; }
  bool is_name(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

// \r\n and \r become \n, and one newline at the end is dropped unless it is kept.
std::string normalize_newlines(std::string_view source, bool keep_last);

// All tokens of a normalized source, which must outlive them; the last one is kEnd.
Result<std::vector<Token>> tokenize(std::string_view source, const TemplateSettings& settings);

// The text of a string literal's body, its escapes as in Python.
Result<std::string> unescape(std::string_view body);

// kCorrupt with "line L, column C: ".
std::unexpected<Error> syntax_error(std::string_view source, uint32_t pos, std::string message);

}  // namespace hearth::jinja
