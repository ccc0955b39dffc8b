// What the tests of this folder share: fixtures, metadata made of them, streams.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace hearth::test {

inline constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};
inline constexpr EncodeOptions kParsed{.add_special = false, .parse_special = true};

inline Json read_fixture(const std::string& name) {
  const auto text =
      read_file(std::string(HEARTH_TEST_DATA) + "/tokenizer/" + name + ".json", 1 << 20);
  if (!text) {
    ADD_FAILURE() << text.error().message;
    return {};
  }
  auto json = Json::parse(*text);
  EXPECT_TRUE(json) << json.error().message;
  return json ? std::move(*json) : Json();
}

inline std::vector<TokenId> ids_of(const Json& json) {
  std::vector<TokenId> ids;
  for (const Json& id : json.as_array()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

inline std::vector<std::string> strings_of(const Json& json) {
  std::vector<std::string> out;
  for (const Json& item : json.as_array()) out.push_back(item.as_string());
  return out;
}

// A byte-level GGUF vocabulary of the entries and merges of a tokenizer.json.
inline Metadata gguf_of_hugging_face(const Json& tokenizer, const std::string& pre) {
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;
  const auto put = [&](const std::string& text, int64_t id, int32_t type) {
    const auto at = static_cast<size_t>(id);
    if (at >= tokens.size()) tokens.resize(at + 1), types.resize(at + 1, 5);
    tokens[at] = text;
    types[at] = type;
  };
  for (const auto& [text, id] : tokenizer["model"]["vocab"].as_object()) put(text, id.as_int(), 1);
  for (const Json& added : tokenizer["added_tokens"].as_array())
    put(added["content"].as_string(), added["id"].as_int(), added["special"].as_bool() ? 3 : 4);
  for (const Json& merge : tokenizer["model"]["merges"].as_array())
    merges.push_back(merge.as_array()[0].as_string() + " " + merge.as_array()[1].as_string());
  Metadata out;
  out.set_string("tokenizer.ggml.model", "gpt2");
  out.set_string("tokenizer.ggml.pre", pre);
  out.set_strings("tokenizer.ggml.tokens", tokens);
  out.set_strings("tokenizer.ggml.merges", merges);
  out.set_ints("tokenizer.ggml.token_type", types);
  return out;
}

inline Metadata gguf_of_sentencepiece(const Json& fixture) {
  std::vector<float> scores;
  for (const Json& score : fixture["scores"].as_array())
    scores.push_back(static_cast<float>(score.as_double()));
  std::vector<int32_t> types = ids_of(fixture["types"]);
  Metadata out;
  out.set_string("tokenizer.ggml.model", "llama");
  out.set_strings("tokenizer.ggml.tokens", strings_of(fixture["tokens"]));
  out.set_floats("tokenizer.ggml.scores", scores);
  out.set_ints("tokenizer.ggml.token_type", types);
  out.set_bool("tokenizer.ggml.add_space_prefix", fixture["add_space_prefix"].as_bool());
  return out;
}

inline std::string from_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count));
  }
  return out;
}

inline std::string stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  StreamDecoder decoder(tokenizer);
  std::string out;
  for (const TokenId id : ids) {
    const std::string piece = decoder.push(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    out += piece;
  }
  return out + decoder.finish();
}

// Text of characters, spaces and punctuation of many kinds; valid UTF-8.
inline std::string random_text(std::mt19937& random, int parts) {
  constexpr std::pair<uint32_t, uint32_t> kRanges[] = {
      {0x20, 0x7E},     {0x61, 0x7A},     {0x30, 0x39},     {0x09, 0x0D},     {0xA0, 0x24F},
      {0x300, 0x5FF},   {0x600, 0x6FF},   {0x900, 0x97F},   {0x1680, 0x1680}, {0x180E, 0x180E},
      {0x2000, 0x206F}, {0x2150, 0x218F}, {0x3000, 0x30FF}, {0x4E00, 0x4EFF}, {0xAC00, 0xACFF},
      {0xFE00, 0xFE0F}, {0x10400, 0x1044F}, {0x1D400, 0x1D4FF}, {0x1F300, 0x1F64F}};
  constexpr std::string_view kPieces[] = {" ", "  ", "\n", "\r\n", "'s", "'LL", "'\u017F", "'", "1",
                                          "a", "\t", " \n ", "\u00A0", "!", "\u0301", "\u00BD"};
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  std::string out;
  for (int i = 0; i < parts; ++i) {
    if (below(2) == 0) {
      out += kPieces[below(std::size(kPieces))];
      continue;
    }
    const auto [low, high] = kRanges[below(std::size(kRanges))];
    for (size_t n = 1 + below(3); n > 0; --n)
      append_utf8(out, static_cast<char32_t>(low + below(high - low + 1)));
  }
  return out;
}

inline std::string random_bytes(std::mt19937& random, size_t count) {
  std::string out(count, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

}  // namespace hearth::test
