#include "mutate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <vector>

#include "random.h"

namespace hearth {
namespace {

void put_number(std::string& bytes, const GgufFieldAt& at, uint64_t value) {
  std::memcpy(bytes.data() + at.offset, &value, std::min<uint64_t>(at.bytes, 8));
}

uint64_t number_at(const std::string& bytes, const GgufFieldAt& at) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at.offset, std::min<uint64_t>(at.bytes, 8));
  return value;
}

void scramble(std::string& bytes, uint64_t begin, uint64_t count, Random& random) {
  for (uint64_t i = begin; i < begin + count && i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(random.next());
}

// A field of a kind chosen first, so that thousands of strings do not hide the rest.
const GgufFieldAt& pick_field(std::span<const GgufFieldAt> fields, Random& random) {
  while (true) {
    auto kind = static_cast<GgufField>(random.below(static_cast<uint64_t>(GgufField::kOffset) + 1));
    std::vector<const GgufFieldAt*> of_kind;
    for (const GgufFieldAt& field : fields)
      if (field.field == kind) of_kind.push_back(&field);
    if (!of_kind.empty()) return *of_kind[random.below(of_kind.size())];
  }
}

// Another field of the same kind and width: a copy of it makes doubles and overlaps.
const GgufFieldAt* twin_of(const GgufFieldAt& at, std::span<const GgufFieldAt> fields,
                           Random& random) {
  std::vector<const GgufFieldAt*> twins;
  for (const GgufFieldAt& field : fields)
    if (field.field == at.field && field.bytes == at.bytes && field.offset != at.offset)
      twins.push_back(&field);
  return twins.empty() ? nullptr : twins[random.below(twins.size())];
}

// Changes bytes in place; offsets of fields stay true.
void bend(std::string& bytes, std::span<const GgufFieldAt> fields, Random& random) {
  const GgufFieldAt& at = pick_field(fields, random);
  bool is_text = at.field == GgufField::kText || at.field == GgufField::kItems;
  switch (random.below(6)) {
    case 0:
    case 1:
      if (is_text)
        scramble(bytes, at.offset, 1 + random.below(std::max<uint64_t>(at.bytes, 1)), random);
      else
        put_number(bytes, at, random.pick(kEdges));
      break;
    case 2: put_number(bytes, at, number_at(bytes, at) + random.below(9) - 4); break;
    case 3:
      if (at.bytes > 0)
        bytes[at.offset + random.below(at.bytes)] ^= static_cast<char>(1 << random.below(8));
      break;
    case 4:
      if (const GgufFieldAt* twin = twin_of(at, fields, random))
        std::memcpy(bytes.data() + at.offset, bytes.data() + twin->offset, at.bytes);
      break;
    case 5:
      scramble(bytes, random.below(fields.back().offset), 1 + random.below(16), random);
      break;
  }
}

// Changes the length of the file; at most once, as the last step.
void shift(std::string& bytes, std::span<const GgufFieldAt> fields, Random& random) {
  const GgufFieldAt& at = pick_field(fields, random);
  switch (random.below(4)) {
    case 0: bytes.erase(at.offset, at.bytes); break;
    case 1: bytes.insert(at.offset, bytes.substr(at.offset, at.bytes)); break;
    case 2: bytes.resize(random.below(bytes.size())); break;
    case 3: bytes.insert(at.offset, std::string(1 + random.below(64), '\0')); break;
  }
}

// The JSON tokens of a header: numbers, strings with their quotes, punctuation.
struct Token {
  size_t begin, end;
};

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text[i] == '"') {
      while (end < text.size() && text[end] != '"') ++end;
      end = std::min(end + 1, text.size());
    } else if (std::isdigit(static_cast<unsigned char>(text[i])) != 0) {
      while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    }
    out.push_back({i, end});
    i = end;
  }
  return out;
}

std::string wild_token(Random& random) {
  constexpr std::string_view kWild[] = {
      "-1", "1.0", "1e400", "18446744073709551615", "18446744073709551616", "9223372036854775807",
      "null", "true", "[]", "{}", "\"\"", "\"F32\"", "\"BF16\"", "\"F64\"", "\"I64\"", "\"Q4_0\"",
      "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"\\ud800\"", "\"\xFF\"",
      "\"\\u0000\"", ",", ":", "]", "}", "[[[[[[[[", "{\"a\":", "-0", "01"};
  if (random.below(2) == 0) return fmt::to_string(random.pick(kEdges));
  return std::string(random.pick(kWild));
}

void bend_json(std::string& header, Random& random) {
  auto tokens = tokens_of(header);
  const Token& at = random.pick(tokens);
  const Token& other = random.pick(tokens);
  std::string text = header.substr(at.begin, at.end - at.begin);
  switch (random.below(6)) {
    case 0: header.replace(at.begin, text.size(), wild_token(random)); break;
    case 1: header.erase(at.begin, text.size()); break;
    case 2: header.insert(at.begin, text); break;
    case 3: header.replace(at.begin, text.size(),
                           header.substr(other.begin, other.end - other.begin)); break;
    case 4: header[random.below(header.size())] ^= static_cast<char>(1 << random.below(8)); break;
    case 5: {  // numbers only: the likeliest to go unnoticed
      for (const Token& token : tokens)
        if (std::isdigit(static_cast<unsigned char>(header[token.begin])) != 0 &&
            random.below(tokens.size() / 8 + 1) == 0) {
          header.replace(token.begin, token.end - token.begin,
                         fmt::to_string(random.pick(kEdges)));
          break;
        }
      break;
    }
  }
}

}  // namespace

std::string mutate_gguf(const std::string& bytes, std::span<const GgufFieldAt> fields,
                        uint64_t number) {
  Random random(20, number);
  std::string out = bytes;
  uint64_t steps = random.below(2) == 0 ? 1 : 1 + random.below(4);
  for (uint64_t i = 0; i < steps; ++i) bend(out, fields, random);
  if (random.below(5) == 0) shift(out, fields, random);
  return out;
}

std::string mutate_safetensors(const std::string& bytes, uint64_t number) {
  Random random(21, number);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  std::string header = bytes.substr(8, length), data = bytes.substr(8 + length);
  uint64_t steps = random.below(2) == 0 ? 1 : random.below(4);
  for (uint64_t i = 0; i < steps && !header.empty(); ++i) bend_json(header, random);
  length = header.size();
  if (steps == 0 || random.below(8) == 0) {
    uint64_t edge = random.pick(kEdges);
    length = random.below(2) == 0 ? edge : length + edge % 17 - 8;
  }
  if (random.below(8) == 0) data.resize(random.below(2 * data.size() + 1));
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + header + data;
}

}  // namespace hearth
