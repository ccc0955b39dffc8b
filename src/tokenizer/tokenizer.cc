#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "base/file.h"
#include "base/out_of_memory.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/decoder.h"
#include "tokenizer/hugging_face.h"
#include "tokenizer/plamo_tokenizer.h"
#include "tokenizer/rwkv_tokenizer.h"
#include "tokenizer/sentencepiece_file.h"
#include "tokenizer/sentencepiece_tokenizer.h"
#include "tokenizer/vocab_files.h"
#include "tokenizer/word_tokenizer.h"
#include "tokenizer/unigram_tokenizer.h"

namespace hearth {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{256} << 20;

}  // namespace

std::string_view name_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::kNormal: return "normal";
    case TokenKind::kUnknown: return "unknown";
    case TokenKind::kControl: return "control";
    case TokenKind::kUserDefined: return "user-defined";
    case TokenKind::kUnused: return "unused";
    case TokenKind::kByte: return "byte";
  }
  return "?";
}

TokenId Tokenizer::find(std::string_view entry) const { return index_.find(entry, entries_); }

bool Tokenizer::ends_generation(TokenId id) const {
  return std::binary_search(end_ids_.begin(), end_ids_.end(), id);
}

namespace {

Result<std::shared_ptr<const Tokenizer>> make_from_gguf(const Metadata& metadata) {
  struct Kind {
    std::string_view model;
    Result<std::shared_ptr<const Tokenizer>> (*make)(const Metadata&);
  };
  constexpr Kind kKinds[] = {
      {"gpt2", make_bpe_from_gguf},
      {"gemma4", make_bpe_from_gguf},
      {"llama", make_sentencepiece_from_gguf},
      {"t5", make_unigram_from_gguf},
      {"bert", make_wordpiece_from_gguf},
      {"rwkv", make_rwkv_from_gguf},
      {"plamo2", make_plamo_from_gguf},
  };
  const std::string_view model = TRY(metadata.text("tokenizer.ggml.model"));
  if (model == "no_vocab" || model == "none")
    return fail(Code::kUnsupported,
                "tokenizer.ggml.model is '{}': the file has no vocabulary, so that text cannot "
                "become tokens",
                model);
  for (const Kind& kind : kKinds)
    if (kind.model == model) return kind.make(metadata);
  return fail(Code::kUnsupported, "tokenizer.ggml.model: the kind '{}' is not supported",
              model.substr(0, 100));
}

// A JSON file of the folder, or null where there is none.
Result<Json> read_json(const std::filesystem::path& path) {
  const auto text = read_file(path, kFileBytesMax);
  if (!text && text.error().code == Code::kNotFound) return Json();
  auto json = Json::parse(TRY(text));
  if (!json) return std::unexpected(with_context(std::move(json).error(), path.string()));
  return json;
}

Result<std::shared_ptr<const Tokenizer>> from_vocab_files(const std::filesystem::path& base,
                                                          const Json& config) {
  VocabFiles files;
  files.vocab = TRY(read_json(base / "vocab.json"));
  const bool words = files.vocab.is_null();
  (words ? files.words : files.merges) =
      TRY(read_file(base / (words ? "vocab.txt" : "merges.txt"), kFileBytesMax));
  files.config = config;
  files.added = TRY(read_json(base / "added_tokens.json"));
  files.special_map = TRY(read_json(base / "special_tokens_map.json"));
  return make_from_hugging_face(TRY(tokenizer_json_of(files)), config);
}

Result<std::shared_ptr<const Tokenizer>> read_folder(const std::string& folder) {
  const std::filesystem::path base(folder);
  const Json config = TRY(read_json(base / "tokenizer_config.json"));
  const auto in_file = [](Result<std::shared_ptr<const Tokenizer>> made,
                          const std::filesystem::path& path) {
    if (!made) made.error() = with_context(std::move(made).error(), path.string());
    return made;
  };
  const std::filesystem::path json = base / "tokenizer.json";
  std::error_code ignored;
  if (std::filesystem::exists(json, ignored))
    return in_file(make_from_hugging_face(TRY(read_json(json)), config), json);
  for (const auto* name : {"tokenizer.model", "spiece.model"}) {
    const std::filesystem::path path = base / name;
    const auto bytes = read_file(path, kFileBytesMax);
    if (!bytes && bytes.error().code == Code::kNotFound) continue;
    const Json added = TRY(read_json(base / "added_tokens.json"));
    return in_file(make_from_sentencepiece(TRY(bytes), config, added), path);
  }
  for (const auto* name : {"vocab.json", "vocab.txt"})
    if (std::filesystem::exists(base / name, ignored))
      return in_file(from_vocab_files(base, config), base / name);
  return fail(Code::kNotFound,
              "{}: no tokenizer.json, tokenizer.model, vocab.json with merges.txt or vocab.txt",
              folder);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(const Metadata& metadata) {
  return catching_bad_alloc([&] { return make_from_gguf(metadata); });
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_hugging_face(const Json& tokenizer,
                                                                      const Json& config) {
  return catching_bad_alloc([&] { return make_from_hugging_face(tokenizer, config); });
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_folder(const std::string& folder) {
  return catching_bad_alloc([&] { return read_folder(folder); });
}

void Tokenizer::strip_start(TokenId id, std::string& bytes, bool& start) const {
  if (!start || bytes.empty()) return;
  start = false;
  if (!strips_leading_space_ || bytes.front() != ' ') return;
  const TokenKind kind = token_kind(id);
  if (decode_rules_.strips_entries_only &&
      (kind == TokenKind::kByte || kind == TokenKind::kUnknown))
    return;
  bytes.erase(0, 1);
  start = decode_rules_.strips_every_piece && bytes.empty();
}

std::optional<std::string_view> Tokenizer::decoder_token(TokenId id, bool special) const {
  if (id < 0 || id >= size()) return std::nullopt;
  const auto normalized = normalized_entries_.find(id);
  if (normalized == normalized_entries_.end()) {
    const TokenKind kind = token_kind(id);
    const bool hidden = kind == TokenKind::kControl && !special;
    if (kind == TokenKind::kUnused || hidden) return std::nullopt;
    return entry(id);
  }
  // As in the reference, a control token is known by its text, which the normalizer has changed.
  const TokenId same = find(normalized->second);
  const bool hidden = same >= 0 && token_kind(same) == TokenKind::kControl && !special;
  if (hidden) return std::nullopt;
  return normalized->second;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool special)
    : tokenizer_(&tokenizer), special_(special) {
  if (tokenizer.decoder())
    run_ = std::make_unique<DecoderRun>(*tokenizer.decoder(), false);
}

StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::push(TokenId id) {
  if (run_) {
    std::string out;
    if (const auto token = tokenizer_->decoder_token(id, special_)) run_->push(*token, out);
    return utf8_.push(out);
  }
  std::string bytes = tokenizer_->piece(id, special_);
  tokenizer_->strip_start(id, bytes, start_);
  std::string text = utf8_.push(bytes);
  if (!tokenizer_->decode_rules().rewrite) return text;
  held_ += text;
  return {};
}

std::string StreamDecoder::finish() {
  if (run_) {
    std::string out;
    run_->finish(false, out);
    out = utf8_.push(out);
    return out += utf8_.finish();
  }
  const auto& rewrite = tokenizer_->decode_rules().rewrite;
  if (!rewrite) return utf8_.finish();
  return rewrite(std::exchange(held_, {}) + utf8_.finish());
}

}  // namespace hearth
