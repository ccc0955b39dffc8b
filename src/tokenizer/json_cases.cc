// A program for differential tests of tokenizer.json: each line of standard input is an object
//
//   {"tokenizer": {...}, "config": {...}, "cases": [{"text": "...", "pair": "...", "ids": [...]}]}
//
// and each line of standard output what Hearth makes of it: {"error": "..."}, or one row per case
// with the ids (plain, with what is added, with control tokens left alone), the pair's ids and type
// ids, the batch's, and the case's "ids" decoded with and without control tokens, at once and as a
// stream.
#include <fmt/format.h>

#include <iostream>
#include <string>

#include "base/json.h"
#include "tokenizer/tokenizer.h"

namespace hearth {
namespace {

template <class Integer>
Json list_of(const std::vector<Integer>& values) {
  Json::Array out;
  for (const Integer value : values) out.emplace_back(int64_t{value});
  return out;
}

std::string stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool special) {
  StreamDecoder decoder(tokenizer, special);
  std::string out;
  for (const TokenId id : ids) out += decoder.push(id);
  return out + decoder.finish();
}

Json batch(const Tokenizer& tokenizer, const TextPair& text) {
  const auto made = tokenizer.encode_batch({&text, 1}, {});
  if (!made) return {};
  Json out;
  out.set("ids", list_of(made->front().ids));
  out.set("types", list_of(made->front().type_ids));
  out.set("mask", list_of(made->front().attention_mask));
  return out;
}

Json run_case(const Tokenizer& tokenizer, const Json& row) {
  const std::string& text = row["text"].as_string();
  Json out;
  out.set("ids", list_of(tokenizer.encode(text, {.add_special = false})));
  out.set("full", list_of(tokenizer.encode(text, {})));
  out.set("unparsed", list_of(tokenizer.encode(text, {.add_special = false,
                                                      .parse_special = false})));
  TextPair whole{.first = text};
  if (row["pair"].is_string()) {
    const TextEncoding pair = tokenizer.encode_pair(text, row["pair"].as_string(), {});
    out.set("pair", list_of(pair.ids));
    out.set("types", list_of(pair.type_ids));
    whole.second = row["pair"].as_string();
  }
  out.set("batch", batch(tokenizer, whole));
  std::vector<TokenId> ids;
  for (const Json& id : row["ids"].as_array()) ids.push_back(static_cast<TokenId>(id.as_int()));
  for (const bool special : {false, true}) {
    const std::string name = special ? "special" : "plain";
    const std::string decoded = replace_invalid_utf8(tokenizer.decode(ids, special));
    out.set("decoded_" + name, decoded);
    out.set("stream_equal_" + name, stream(tokenizer, ids, special) == decoded);
  }
  return out;
}

Json run_line(const std::string& line) {
  Json out;
  const auto input = Json::parse(line);
  if (!input) {
    out.set("error", input.error().message);
    return out;
  }
  const auto tokenizer = Tokenizer::from_hugging_face((*input)["tokenizer"], (*input)["config"]);
  if (!tokenizer) {
    out.set("error", tokenizer.error().message);
    return out;
  }
  Json::Array rows;
  for (const Json& row : (*input)["cases"].as_array()) rows.push_back(run_case(**tokenizer, row));
  out.set("cases", std::move(rows));
  return out;
}

}  // namespace
}  // namespace hearth

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << hearth::run_line(line).dump() << std::endl;
}
