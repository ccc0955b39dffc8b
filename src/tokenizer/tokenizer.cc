#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "base/file.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/hugging_face.h"
#include "tokenizer/sentencepiece_tokenizer.h"

namespace hearth {

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

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(const Metadata& metadata) {
  struct Kind {
    std::string_view model;
    Result<std::shared_ptr<const Tokenizer>> (*make)(const Metadata&);
  };
  constexpr Kind kKinds[] = {
      {"gpt2", make_bpe_from_gguf},
      {"gemma4", make_bpe_from_gguf},
      {"llama", make_sentencepiece_from_gguf},
  };
  const std::string_view model = TRY(metadata.text("tokenizer.ggml.model"));
  for (const Kind& kind : kKinds)
    if (kind.model == model) return kind.make(metadata);
  return fail(Code::kUnsupported, "tokenizer.ggml.model: the kind '{}' is not supported",
              model.substr(0, 100));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_hugging_face(const Json& tokenizer,
                                                                      const Json& config) {
  return make_from_hugging_face(tokenizer, config);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_folder(const std::string& folder) {
  constexpr uint64_t kBytesMax = uint64_t{256} << 20;
  const auto read = [](const std::filesystem::path& path) -> Result<Json> {
    auto text = TRY(read_file(path, kBytesMax));
    auto json = Json::parse(text);
    if (!json) return std::unexpected(with_context(std::move(json).error(), path.string()));
    return json;
  };
  const std::filesystem::path base(folder);
  const Json tokenizer = TRY(read(base / "tokenizer.json"));
  auto config = read(base / "tokenizer_config.json");
  if (!config && config.error().code == Code::kNotFound) config = Json();
  auto made = from_hugging_face(tokenizer, TRY(std::move(config)));
  if (!made)
    return std::unexpected(
        with_context(std::move(made).error(), (base / "tokenizer.json").string()));
  return made;
}

void Tokenizer::strip_start(TokenId id, std::string& bytes, bool& start) const {
  if (!start || bytes.empty()) return;
  start = false;
  if (!strips_leading_space_ || bytes.front() != ' ') return;
  if (keeps_byte_space_ && token_kind(id) == TokenKind::kByte) return;
  bytes.erase(0, 1);
  start = strips_every_piece_ && bytes.empty();
}

std::string StreamDecoder::push(TokenId id) {
  std::string bytes = tokenizer_->piece(id, special_);
  tokenizer_->strip_start(id, bytes, start_);
  std::string text = utf8_.push(bytes);
  if (!tokenizer_->rewrite()) return text;
  held_ += text;
  return {};
}

std::string StreamDecoder::finish() {
  if (!tokenizer_->rewrite()) return utf8_.finish();
  return tokenizer_->rewrite()(std::exchange(held_, {}) + utf8_.finish());
}

}  // namespace hearth
