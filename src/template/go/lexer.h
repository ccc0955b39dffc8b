// Lexer: cuts a Go template into text and the tokens inside {{ }}, and does the trimming of "{{- "
// and " -}}". Lazy: one token per call; an error is a token, after which only errors come.
// Source of the rules: the reference implementation's lexical grammar (text/template).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::gotmpl {

enum class Tok : uint8_t {
  kError,  // value: what is wrong
  kEof,
  kText,
  kLeftDelim,
  kRightDelim,
  kSpace,
  kAssign,   // =
  kDeclare,  // :=
  kPipe,
  kLeftParen,
  kRightParen,
  kChar,  // a lone ASCII character such as ','
  kString,
  kRawString,
  kCharConstant,
  kNumber,
  kComplex,
  kVariable,  // $ or $name
  kField,     // .name
  kDot,
  kIdentifier,
  kBool,
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEnd,
  kIf,
  kNil,
  kRange,
  kTemplate,
  kWith,
};

struct Token {
  Tok kind = Tok::kEof;
  uint32_t pos = 0;       // byte of the source
  std::string_view text;  // as written; for kError the message
};

class Lexer {
 public:
  // `source` outlives the lexer and its tokens and has fewer than 2^32 bytes.
  explicit Lexer(std::string_view source) : source_(source) {}
  Token next();

 private:
  Token text();
  Token left_delim();
  bool skip_comment(Token* error);
  Token right_delim();
  Token inside();
  Token space();
  Token identifier();
  Token field_or_variable(Tok kind);
  Token number();
  bool scan_number();
  Token quoted(char quote, Tok kind, std::string_view message);
  Token raw_string();

  Token emit(Tok kind);
  Token error(std::string_view message);
  char32_t peek(uint8_t* bytes) const;  // 0xFFFFFFFF at the end
  bool accept(std::string_view set);
  void accept_run(std::string_view set);
  bool at_right_delim(bool* trims) const;
  bool at_terminator() const;
  bool starts_with(size_t at, std::string_view text) const;

  std::string_view source_;
  size_t pos_ = 0, start_ = 0;
  int parens_ = 0;
  bool inside_ = false, failed_ = false;
  std::string message_;
};

// "line L, column C" (both from 1) of a byte.
std::string place(std::string_view source, size_t pos);

}  // namespace hearth::gotmpl
