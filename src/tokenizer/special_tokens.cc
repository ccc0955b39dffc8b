#include "tokenizer/special_tokens.h"

#include <string.h>

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/characters.h"

namespace hearth {
namespace {

// The character that ends at `end`, as far back as three bytes.
Decoded decode_before(std::string_view text, size_t end) {
  size_t begin = end;
  for (int steps = 0; steps < 4 && begin > 0; ++steps) {
    --begin;
    if ((static_cast<uint8_t>(text[begin]) & 0xC0) != 0x80) break;
  }
  const Decoded decoded = decode_utf8(text.substr(0, end), begin);
  if (decoded.valid && begin + decoded.bytes == end) return decoded;
  return {kReplacement, 1, false};
}

size_t skip_space_left(std::string_view text, size_t from, size_t least) {
  while (from > least) {
    const Decoded c = decode_before(text, from);
    if (!c.valid || !is_white_space(c.code) || from - c.bytes < least) break;
    from -= c.bytes;
  }
  return from;
}

size_t skip_space_right(std::string_view text, size_t from) {
  while (from < text.size()) {
    const Decoded c = decode_utf8(text, from);
    if (!c.valid || !is_white_space(c.code)) break;
    from += c.bytes;
  }
  return from;
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  if (begin > 0) {
    const Decoded c = decode_before(text, begin);
    if (c.valid && is_word_character(c.code)) return true;
  }
  if (end < text.size()) {
    const Decoded c = decode_utf8(text, end);
    if (c.valid && is_word_character(c.code)) return true;
  }
  return false;
}

}  // namespace

void SpecialTokens::build(std::vector<SpecialToken> tokens) {
  long_.clear();
  for (SpecialToken& token : tokens)
    if (token.text.size() > kBytesMax) long_.push_back(std::move(token)), token.text.clear();
  CHECK(long_.size() <= kLongMax);
  std::stable_sort(long_.begin(), long_.end(), [](const auto& a, const auto& b) {
    return a.text.size() > b.text.size();
  });
  std::erase_if(tokens, [](const SpecialToken& token) { return token.text.empty(); });
  std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) {
    return a.text < b.text;
  });
  tokens_ = std::move(tokens);
  size_t at = 0;
  for (size_t byte = 0; byte < 256; ++byte) {
    first_byte_[byte] = static_cast<uint32_t>(at);
    while (at < tokens_.size() && static_cast<uint8_t>(tokens_[at].text[0]) == byte) ++at;
  }
  first_byte_[256] = static_cast<uint32_t>(tokens_.size());
}

// Narrows the sorted tokens to those that agree with the text, byte by byte.
const SpecialToken* SpecialTokens::match(std::string_view text, size_t at,
                                         size_t guarded_max) const {
  const auto first = static_cast<uint8_t>(text[at]);
  auto low = tokens_.begin() + first_byte_[first];
  auto high = tokens_.begin() + first_byte_[first + 1u];
  const SpecialToken* best = nullptr;
  for (size_t depth = 1; low != high; ++depth) {
    for (auto token = low; token != high && token->text.size() == depth; ++token) {
      if (!token->guarded || depth <= guarded_max) best = &*token;
      low = token + 1;
    }
    if (low == high || at + depth >= text.size()) break;
    const auto wanted = static_cast<uint8_t>(text[at + depth]);
    const auto byte = [depth](const SpecialToken& token) {
      return static_cast<uint8_t>(token.text[depth]);
    };
    low = std::partition_point(low, high, [&](const auto& t) { return byte(t) < wanted; });
    high = std::partition_point(low, high, [&](const auto& t) { return byte(t) <= wanted; });
  }
  return best;
}

namespace {

// The places of long tokens, found as the text is gone through.
class LongSearch {
 public:
  LongSearch(const std::vector<SpecialToken>& tokens, std::string_view text)
      : tokens_(tokens), text_(text), next_(tokens.size()) {
    for (size_t i = 0; i < tokens.size(); ++i) find(i, 0);
  }

  // The longest token at text[at]; guarded ones of at most `guarded_max` bytes.
  const SpecialToken* match(size_t at, size_t guarded_max) {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (next_[i] < at) find(i, at);
      const SpecialToken& token = tokens_[i];
      if (next_[i] == at && (!token.guarded || token.text.size() <= guarded_max)) return &token;
    }
    return nullptr;
  }

 private:
  // The C library's search is linear, unlike the string's.
  void find(size_t i, size_t from) {
    const std::string& wanted = tokens_[i].text;
    const void* found =
        memmem(text_.data() + from, text_.size() - from, wanted.data(), wanted.size());
    next_[i] = found ? static_cast<size_t>(static_cast<const char*>(found) - text_.data())
                     : SIZE_MAX;
  }

  const std::vector<SpecialToken>& tokens_;
  std::string_view text_;
  std::vector<size_t> next_;
};

}  // namespace

std::vector<SpecialTokens::Piece> SpecialTokens::split(std::string_view text,
                                                       bool with_control,
                                                       std::span<const TextRange> foreign) const {
  std::vector<Piece> pieces;
  LongSearch long_search(long_, text);
  size_t done = 0, spaces_end = 0;  // where the white space found last ends
  // The bytes from text[at] to the next foreign one.
  const auto own_bytes = [&foreign](size_t at) {
    while (!foreign.empty() && foreign.front().end <= at) foreign = foreign.subspan(1);
    if (foreign.empty()) return SIZE_MAX;
    return foreign.front().begin > at ? foreign.front().begin - at : 0;
  };
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<uint8_t>(text[at]);
    const SpecialToken* token = nullptr;
    if (!long_.empty()) token = long_search.match(at, own_bytes(at));
    if (!token && first_byte_[first] != first_byte_[first + 1u])
      token = match(text, at, own_bytes(at));
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->text.size();
    at = end;
    if (token->control && !with_control) continue;
    if (token->single_word && touches_word(text, begin, end)) continue;
    if (token->strip_left) begin = std::max(skip_space_left(text, begin, done), done);
    if (token->strip_right) end = spaces_end = skip_space_right(text, std::max(end, spaces_end));
    if (begin > done) pieces.push_back({done, begin, -1});
    pieces.push_back({begin, end, token->id});
    done = end;
  }
  if (done < text.size()) pieces.push_back({done, text.size(), -1});
  return pieces;
}

}  // namespace hearth
