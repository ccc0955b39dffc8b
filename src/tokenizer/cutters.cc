#include "tokenizer/cutters.h"

#include <optional>

#include "base/utf8.h"
#include "tokenizer/characters.h"

namespace hearth {

Cutter cut_by_digit_groups(DigitGroups groups) {
  return [groups](std::string_view text, const PieceSink& piece) {
    cut_digit_groups(text, groups, piece);
  };
}

Cutter cut_by_length(size_t characters) {
  return [characters](std::string_view text, const PieceSink& piece) {
    size_t begin = 0, count = 0;
    for (size_t at = 0; at < text.size();) {
      at += decode_utf8(text, at).bytes;
      if (++count < characters && at < text.size()) continue;
      piece(begin, at);
      begin = at;
      count = 0;
    }
  };
}

Cutter cut_by_script() {
  return [](std::string_view text, const PieceSink& piece) {
    std::optional<size_t> begin;
    int last = kAnyScript;
    for (size_t at = 0; at < text.size();) {
      const Decoded c = decode_utf8(text, at);
      const int script = script_of(c.code);
      if (script != kAnyScript) {
        if (!begin) {
          begin = at;
        } else if (script != last) {
          piece(*begin, at);
          begin = at;
        }
        last = script;
      }
      at += c.bytes;
    }
    if (begin) piece(*begin, text.size());
  };
}

Cutter cut_words() {
  return [](std::string_view text, const PieceSink& piece) {
    enum class Class : uint8_t { kSpace, kWord, kOther };
    Class open = Class::kSpace;
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
      const Decoded c = decode_utf8(text, at);
      const Class now = is_word_character(c.code) ? Class::kWord
                        : is_white_space(c.code)  ? Class::kSpace
                                                  : Class::kOther;
      if (now != open) {
        if (open != Class::kSpace) piece(begin, at);
        begin = at;
        open = now;
      }
      at += c.bytes;
    }
    if (open != Class::kSpace) piece(begin, text.size());
  };
}

}  // namespace hearth
