// The keys tokenizer.ggml.* as a Vocabulary.
#include <algorithm>

#include "tokenizer/vocabulary.h"

namespace hearth {
namespace {

Result<void> read_entries(const Metadata& metadata, Vocabulary& out) {
  const MetaArray& tokens = *TRY(metadata.array("tokenizer.ggml.tokens", MetaType::kString));
  if (tokens.strings.empty()) return fail(Code::kCorrupt, "tokenizer.ggml.tokens is empty");
  if (tokens.strings.size() > kEntriesMax)
    return fail(Code::kTooLarge, "tokenizer.ggml.tokens: {} entries (at most {})",
                tokens.strings.size(), kEntriesMax);
  out.entries.assign(tokens.strings.begin(), tokens.strings.end());
  out.index.build(out.entries);
  return {};
}

Result<void> read_kinds(const Metadata& metadata, Vocabulary& out) {
  out.kinds.assign(out.entries.size(), TokenKind::kNormal);
  if (!metadata.find("tokenizer.ggml.token_type")) return {};
  const MetaArray& types = *TRY(metadata.array("tokenizer.ggml.token_type"));
  if (types.item == MetaType::kString || types.item == MetaType::kF32 ||
      types.item == MetaType::kF64)
    return fail(Code::kCorrupt, "tokenizer.ggml.token_type: items are {}, not integers",
                name_of(types.item));
  if (types.count != out.entries.size())
    return fail(Code::kCorrupt, "tokenizer.ggml.token_type: {} items for {} tokens", types.count,
                out.entries.size());
  for (size_t i = 0; i < out.kinds.size(); ++i) {
    const int64_t type = types.integer_at(i);
    // Numbers that the format does not define mean an entry that is not used.
    out.kinds[i] = type >= 1 && type <= 6 ? static_cast<TokenKind>(type) : TokenKind::kUnused;
  }
  return {};
}

Result<void> read_scores(const Metadata& metadata, Vocabulary& out) {
  if (!metadata.find("tokenizer.ggml.scores")) return {};
  const MetaArray& scores = *TRY(metadata.array("tokenizer.ggml.scores"));
  if (scores.item == MetaType::kString || scores.count != out.entries.size())
    return fail(Code::kCorrupt, "tokenizer.ggml.scores: {} items of {} for {} tokens",
                scores.count, name_of(scores.item), out.entries.size());
  out.scores.resize(out.entries.size());
  for (size_t i = 0; i < out.scores.size(); ++i)
    out.scores[i] = static_cast<float>(scores.number_at(i));
  return {};
}

// The id under `key`; `fallback` where the key is absent or names no entry (files have been seen
// with -1 there, and the reference takes its default too).
Result<TokenId> read_id(const Metadata& metadata, const Vocabulary& vocabulary,
                        std::string_view key, TokenId fallback) {
  const auto in_range = [&](auto id) {
    return id < static_cast<decltype(id)>(vocabulary.entries.size());
  };
  if (!in_range(static_cast<int64_t>(fallback))) fallback = -1;
  if (!metadata.find(key)) return fallback;
  const auto id = metadata.uint(key);
  if (!id) return fallback;
  return in_range(*id) ? static_cast<TokenId>(*id) : fallback;
}

// The ids that each kind of model has where its file names none.
struct DefaultIds {
  std::string_view model;
  TokenId bos = -1, eos = -1, unknown = -1;
};

DefaultIds default_ids(std::string_view model) {
  constexpr DefaultIds kRows[] = {
      {"llama", 1, 2, 0},
      {"t5", -1, 1, 2},
      {"plamo2", 1, 2, 0},
  };
  for (const DefaultIds& row : kRows)
    if (row.model == model) return row;
  return {};
}

std::string lowercase_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// GGUF has no field for the white space that tokens take along; for Phi-3 it is known.
bool strips_right(std::string_view general_name) {
  const std::string name = lowercase_ascii(general_name);
  return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

void collect_specials(const Metadata& metadata, Vocabulary& out) {
  const auto name = metadata.text("general.name", "");
  const bool strip = name && strips_right(*name);
  for (size_t i = 0; i < out.entries.size(); ++i) {
    const TokenKind kind = out.kinds[i];
    const bool control = kind == TokenKind::kControl || kind == TokenKind::kUnknown;
    if (!control && kind != TokenKind::kUserDefined) continue;
    const std::string& text = out.entries[i];
    const bool plain = text == "<unk>" || text == "<s>" || text == "<|endoftext|>";
    out.specials.push_back({.text = text, .id = static_cast<TokenId>(i), .control = control,
                            .strip_right = strip && !plain});
  }
}

}  // namespace

Result<Vocabulary> read_gguf_vocabulary(const Metadata& metadata) {
  Vocabulary out;
  out.model_name = TRY(metadata.text("tokenizer.ggml.model"));
  out.pre_name = TRY(metadata.text("tokenizer.ggml.pre", ""));
  TRY(read_entries(metadata, out));
  TRY(read_kinds(metadata, out));
  TRY(read_scores(metadata, out));
  const DefaultIds ids = default_ids(out.model_name);
  out.bos = TRY(read_id(metadata, out, "tokenizer.ggml.bos_token_id", ids.bos));
  out.eos = TRY(read_id(metadata, out, "tokenizer.ggml.eos_token_id", ids.eos));
  out.unknown = TRY(read_id(metadata, out, "tokenizer.ggml.unknown_token_id", ids.unknown));
  std::vector<TokenId> ends;
  for (const auto* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    ends.push_back(TRY(read_id(metadata, out, key, -1)));
  find_end_ids(out, ends);
  collect_specials(metadata, out);
  return out;
}

}  // namespace hearth
