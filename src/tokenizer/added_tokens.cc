#include "tokenizer/added_tokens.h"

#include <map>
#include <set>
#include <unordered_map>

namespace hearth {

Result<size_t> read_entry_id(const Json& json, std::string_view what) {
  if (!json.is_int() || json.as_int() < 0 || json.as_int() >= static_cast<int64_t>(kEntriesMax))
    return fail(Code::kCorrupt, "tokenizer.json: the id of '{}' is not a number below {}",
                what.substr(0, 100), kEntriesMax);
  return static_cast<size_t>(json.as_int());
}

void put_entry(Vocabulary& out, size_t id, std::string_view text, TokenKind kind) {
  if (id >= out.entries.size()) {
    out.entries.resize(id + 1);
    out.kinds.resize(id + 1, TokenKind::kUnused);
  }
  out.entries[id] = text;
  out.kinds[id] = kind;
}

namespace {

struct AddedToken {
  SpecialToken token;
  bool normalized = false;
};

Result<AddedToken> read_token(const Json& item) {
  AddedToken out;
  SpecialToken& token = out.token;
  token.text = TRY(item.get_string("content", ""));
  TRY(read_entry_id(item["id"], token.text));
  token.control = TRY(item.get_bool("special", false));
  token.strip_left = TRY(item.get_bool("lstrip", false));
  token.strip_right = TRY(item.get_bool("rstrip", false));
  token.single_word = TRY(item.get_bool("single_word", false));
  out.normalized = TRY(item.get_bool("normalized", !token.control));
  return out;
}

// The ids of these texts in the model, where it has them; of equal entries the last.
std::unordered_map<std::string_view, TokenId> find_in_model(const std::vector<AddedToken>& tokens,
                                                            const Vocabulary& vocabulary) {
  std::unordered_map<std::string_view, TokenId> found;
  std::set<size_t> lengths;
  for (const AddedToken& added : tokens) {
    found.emplace(added.token.text, -1);
    lengths.insert(added.token.text.size());
  }
  std::vector<bool> wanted(lengths.empty() ? 0 : *lengths.rbegin() + 1);
  for (const size_t length : lengths) wanted[length] = true;
  for (size_t id = 0; id < vocabulary.entries.size(); ++id) {
    const std::string& text = vocabulary.entries[id];
    if (text.size() >= wanted.size() || !wanted[text.size()]) continue;
    const auto at = found.find(text);
    if (at != found.end()) at->second = static_cast<TokenId>(id);
  }
  return found;
}

}  // namespace

Result<void> read_added_tokens(const Json& json, const Normalizer& normalizer, size_t model_size,
                               Vocabulary& out) {
  if (json.is_null()) return {};
  if (!json.is_array()) return fail(Code::kCorrupt, "tokenizer.json: added_tokens is no array");
  if (json.as_array().size() > kEntriesMax - model_size)
    return fail(Code::kTooLarge, "tokenizer.json: {} added_tokens", json.as_array().size());
  std::vector<AddedToken> tokens;
  for (const Json& item : json.as_array()) tokens.push_back(TRY(read_token(item)));
  auto ids = find_in_model(tokens, out);
  std::set<std::string_view> control;
  std::map<TokenId, const AddedToken*> by_id;  // of two with one id the later counts
  RegexScratch scratch;
  auto next_id = static_cast<TokenId>(model_size);
  for (AddedToken& added : tokens) {
    if (added.token.text.empty()) continue;
    TokenId& id = ids[added.token.text];
    if (id < 0) id = next_id++;
    added.token.id = id;
    if (added.token.control) control.insert(added.token.text);
    by_id[id] = &added;
    if (!added.normalized) continue;
    std::string text = normalizer.run(added.token.text, scratch);
    if (text != added.token.text) out.normalized_entries[id] = std::move(text);
  }
  size_t longs = 0;
  for (const auto& [id, added] : by_id) {
    SpecialToken token = added->token;
    token.control = control.contains(token.text);  // once special, always special
    put_entry(out, static_cast<size_t>(id), token.text,
              token.control ? TokenKind::kControl : TokenKind::kUserDefined);
    const auto normalized = out.normalized_entries.find(id);
    if (added->normalized && normalized != out.normalized_entries.end())
      token.text = normalized->second;
    longs += token.text.size() > SpecialTokens::kBytesMax;
    (added->normalized ? out.normalized_specials : out.specials).push_back(std::move(token));
  }
  if (longs > SpecialTokens::kLongMax)
    return fail(Code::kUnsupported, "tokenizer.json: {} added tokens of more than {} bytes", longs,
                SpecialTokens::kBytesMax);
  return {};
}

}  // namespace hearth
