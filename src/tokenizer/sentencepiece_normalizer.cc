#include "tokenizer/sentencepiece_normalizer.h"

#include "base/utf8.h"
#include "tokenizer/space_cutter.h"

namespace hearth {

Charsmap::Rule SentencePieceNormalizer::next(std::string_view text) const {
  if (const auto match = user_defined_.longest(text); match.bytes > 0)
    return {match.bytes, text.substr(0, match.bytes)};
  if (const Charsmap::Rule rule = charsmap_.longest(text); rule.bytes > 0) return rule;
  const Decoded c = decode_utf8(text, 0);
  if (c.valid) return {c.bytes, text.substr(0, c.bytes)};
  return {1, "\xEF\xBF\xBD"};  // U+FFFD
}

std::string SentencePieceNormalizer::rewrite(std::string_view text) const {
  const bool trim = spaces_.remove_extra_whitespaces;
  const std::string_view space = spaces_.escape_whitespaces ? kSpaceMark : std::string_view(" ");
  while (trim && !text.empty()) {
    const Charsmap::Rule rule = next(text);
    if (rule.text != " ") break;
    text.remove_prefix(rule.bytes);
  }
  if (text.empty()) return {};
  std::string out;
  out.reserve(text.size() + text.size() / 2 + space.size());
  const bool dummy = spaces_.add_dummy_prefix;
  if (dummy && !spaces_.treat_whitespace_as_suffix) out += space;
  bool after_space = trim;
  while (!text.empty()) {
    const Charsmap::Rule rule = next(text);
    text.remove_prefix(rule.bytes);
    std::string_view piece = rule.text;
    while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
    if (piece.empty()) continue;
    for (const char c : piece) {
      if (c == ' ') out += space;
      else out += c;
    }
    after_space = trim && piece.ends_with(' ');
  }
  while (trim && out.ends_with(space)) out.resize(out.size() - space.size());
  if (dummy && spaces_.treat_whitespace_as_suffix) out += space;
  return out;
}

}  // namespace hearth
