// Printer: Go's package fmt over the values of value.h: Print, Println and Printf with every verb
// and flag, the same text for wrong verbs, missing and extra arguments. Pointers print an address
// in Go; here it is always the same one.
#pragma once

#include <span>
#include <string_view>

#include "template/go/format_number.h"
#include "template/go/sink.h"
#include "template/go/value.h"

namespace hearth::gotmpl {

class Printer {
 public:
  explicit Printer(Sink out) : out_(out) {}

  void print(std::span<const Value> args);    // a space between two that are no strings
  void println(std::span<const Value> args);  // a space between any two, and a newline
  void printf(const Rendered& format, std::span<const Value> args);

  // What {{ value }} prints.
  void action(const Value& value);

 private:
  struct Verb;

  void arg(const Value& value, char32_t verb);
  void value(const Value& value, char32_t verb, int depth);
  bool stringer(const Value& value, char32_t verb);
  void bad_verb(char32_t verb, const Value* value);
  void boolean(const Value& value, char32_t verb);
  void integer(const Value& value, char32_t verb);
  void number(const Value& value, char32_t verb);
  void text(const Rendered& text, char32_t verb, const Value* source);
  void bytes(const Value& value, char32_t verb);
  void slice(const Value& value, char32_t verb, int depth);
  void map(const Value& value, char32_t verb, int depth);
  void structure(const Value& value, char32_t verb, int depth);
  void pointer(const Value& value, char32_t verb, int depth);
  void address(const Value& value, char32_t verb);
  void hex_dump(const Rendered& text, bool upper);
  void put_padded(const Rendered& text);
  Rendered truncated(const Rendered& text) const;
  void put(std::string_view text) { out_.put(text, false); }
  void put_rune(char32_t code);

  // printf
  bool flag(char c);
  void one_verb(const Rendered& format, size_t& at, std::span<const Value> args);
  void width(std::string_view format, size_t& at, std::span<const Value> args);
  void precision(std::string_view format, size_t& at, std::span<const Value> args);
  void argument_number(std::string_view format, size_t& at, size_t count);
  bool int_from_arg(std::span<const Value> args, int* out);
  void extra(std::span<const Value> args);

  Sink out_;
  FormatFlags flags_;
  size_t next_arg_ = 0;
  bool reordered_ = false, good_number_ = true, after_index_ = false;
  bool erroring_ = false;  // inside %!v(...), where no String method is called
};

}  // namespace hearth::gotmpl
