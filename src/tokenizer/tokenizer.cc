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

std::string StreamDecoder::push(TokenId id) {
  std::string bytes = tokenizer_->piece(id, special_);
  if (first_ && !bytes.empty()) {
    first_ = false;
    if (tokenizer_->strips_leading_space() && bytes.front() == ' ') bytes.erase(0, 1);
  }
  return utf8_.push(bytes);
}

}  // namespace hearth
